import { expect, test } from 'vitest';
import { renderStatusReport } from '../../src/outputs/telegram/monitor.ts';
import type { ServiceStatus } from '../../src/model/monitor-report.ts';

const AT = Date.UTC(2025, 6, 16, 11, 0, 0);

function service(name: string, more: Partial<ServiceStatus> = {}): ServiceStatus {
  return {
    name,
    state: 'running',
    health: 'none',
    restartCount: 0,
    containerId: 'abc123def4567890',
    ...more,
  };
}

test('a few services in full', async () => {
  const services = [
    service('stardust-my-firstcare-com'),
    service('stardust-kati-listener', { health: 'healthy', restartCount: 2 }),
    service('stardust-redis', { health: 'unhealthy' }),
    service('stardust-qube-listener', { state: 'restarting', restartCount: 7 }),
    service('stardust-mqtt-panel', { state: 'exited', health: 'unhealthy' }),
    { name: 'stardust-ava4-listener', state: 'missing', health: 'none', restartCount: 0 } as const,
  ];
  await expect(`${renderStatusReport(services, 'vps1', AT)}\n`).toMatchFileSnapshot(
    '../fixtures/services/status-report.html',
  );
});

test('many services are one line each, the troubled ones first', async () => {
  const services = Array.from({ length: 24 }, (_, i) => service(`app-${String(i).padStart(2, '0')}`));
  services[11]!.state = 'exited';
  services[17] = service('app-17', { health: 'unhealthy', restartCount: 3 });
  services[20] = service('app-20', { state: 'restarting', restartCount: 9 });
  await expect(`${renderStatusReport(services, 'vps1', AT)}\n`).toMatchFileSnapshot(
    '../fixtures/services/status-report-many.html',
  );
});

test('500 services with long names fit one message', () => {
  const services = Array.from({ length: 500 }, (_, i) => service(`<${'n'.repeat(200)}&${i}`));
  services[499]!.state = 'exited';
  const html = renderStatusReport(services, 'vps1', AT);
  expect(html.length).toBeLessThan(4096);
  expect(html).toMatch(/\n🔴 &lt;n+… - Stopped\n/);
  expect(html).toMatch(/\.\.\. and 4\d\d more\n/);
  expect(html).toContain('🟢 Running: 499\n🔴 Stopped: 1\n');
});

test('20 services with long names fit, too', () => {
  const services = Array.from({ length: 20 }, (_, i) => service(`${'&'.repeat(100)}${i}`));
  expect(renderStatusReport(services, 'vps1', AT).length).toBeLessThan(4096);
});
