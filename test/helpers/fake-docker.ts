import { defined } from '../../src/model/defined.ts';
import type { Docker, DockerEvent, DockerInspect } from '../../src/system/types.ts';

export type FakeContainer = {
  id: string;
  name: string;
  status: string;
  restartCount: number;
  memory: number;
  memorySwap: number;
  exitCode: number;
  oomKilled: boolean;
  logs: string[];
  env: string[];
  autoRemove?: boolean;
  /** In its network, as Compose gives them. */
  aliases?: string[];
  startedAt?: number;
  /** What `stop` and `start` do; default: they work. */
  refuses?: string;
  /** The HTTP status of that; without it there was no answer. */
  refusesWith?: number;
};
export type FakeDocker = {
  docker: Docker;
  containers: Map<string, FakeContainer>;
  events: DockerEvent[];
  /** `stop web`, `update web 24`, ... in order. */
  calls: string[];
  add(name: string, values?: Partial<FakeContainer>): FakeContainer;
  /** Called before every change; may throw. */
  before?: (call: string) => void | Promise<void>;
};

/** A scripted engine, for decisions over hours that no test can wait for. What the real one does is tested in test/real. */
export function fakeDocker(): FakeDocker {
  const containers = new Map<string, FakeContainer>();
  const find = (id: string): FakeContainer => {
    const found = [...containers.values()].find((c) => c.id === id || c.name === id);
    if (!found) throw Object.assign(new Error(`No such container: ${id}`), { status: 404 });
    return found;
  };
  async function change(call: string, id: string, work: (container: FakeContainer) => void): Promise<void> {
    const container = find(id);
    fake.calls.push(call.replace('{}', container.name));
    await fake.before?.(call.replace('{}', container.name));
    if (container.refuses)
      throw Object.assign(new Error(container.refuses), defined({ status: container.refusesWith }));
    work(container);
  }
  const docker: Partial<Docker> = {
    inspect: async (id) => toInspect(find(id)),
    logs: async (id) => find(id).logs,
    async events({ since, until, onEvent }) {
      for (const event of fake.events)
        if (event.timeNano >= (since ?? 0n) && event.timeNano <= (until ?? event.timeNano)) onEvent(event);
    },
    start: (id) =>
      change('start {}', id, (c) =>
        Object.assign(c, { status: 'running', startedAt: (c.startedAt ?? 0) + 1 }),
      ),
    async stop(id) {
      let was = '';
      await change('stop {}', id, (c) => ([was, c.status] = [c.status, 'exited']));
      return was !== 'exited';
    },
    restart: (id) => change('restart {}', id, (c) => (c.status = 'running')),
    updateMemory: (id, memory, memorySwap) =>
      change(`update {} ${memory} ${memorySwap}`, id, (c) => Object.assign(c, { memory, memorySwap })),
  };
  const fake: FakeDocker = {
    docker: docker as Docker,
    containers,
    events: [],
    calls: [],
    add(name, values = {}) {
      const container: FakeContainer = {
        id: name.padEnd(64, '0'),
        name,
        status: 'running',
        restartCount: 0,
        memory: 0,
        memorySwap: 0,
        exitCode: 0,
        oomKilled: false,
        logs: [],
        env: [],
        ...values,
      };
      containers.set(container.id, container);
      return container;
    },
  };
  return fake;
}

function toInspect(c: FakeContainer): DockerInspect {
  return {
    id: c.id,
    name: c.name,
    image: 'x',
    labels: {},
    created: 0,
    env: c.env,
    command: [],
    restartCount: c.restartCount,
    state: {
      status: c.status,
      pid: c.status === 'running' ? 1234 : 0,
      exitCode: c.exitCode,
      oomKilled: c.oomKilled,
      error: '',
      startedAt: c.startedAt ?? 0,
      finishedAt: 0,
    },
    hostConfig: {
      memory: c.memory,
      memorySwap: c.memorySwap,
      restartPolicy: 'always',
      maximumRetryCount: 0,
      networkMode: 'none',
      autoRemove: c.autoRemove ?? false,
    },
    networks: c.aliases ? { shop: { address: '', aliases: c.aliases } } : {},
    ports: [],
  };
}
