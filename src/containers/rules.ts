import { isIgnored, namesContainer, type Config, type ServiceSettings } from '../config/schema.ts';
import { secretsOf } from '../config/secrets.ts';
import type { ServiceRules } from './types.ts';

type Deciding = ReturnType<ServiceRules['of']>;

/** The settings that the machine asks for, looked up once per container. */
export function serviceRules(config: Config, memoryOf?: ServiceRules['memoryOf']): ServiceRules {
  const { settings, extra } = config;
  const wanted = settings.MONITORED_SERVICES;
  const cache = new Map<string, Deciding>();

  function decide(container: { name: string; service?: string }): Deciding {
    const own: ServiceSettings | undefined = extra.services.find(({ name }) =>
      namesContainer(name, container),
    );
    const isWanted = wanted.some((name) => namesContainer(name, container));
    return {
      watched: (wanted.length === 0 || isWanted) && !isIgnored(settings.IGNORED_SERVICES, container),
      named: isWanted || own !== undefined,
      malfunctionRestarts: own?.malfunctionRestarts ?? settings.MALFUNCTION_RESTARTS,
    };
  }

  return {
    loopCount: settings.RESTART_LOOP_COUNT,
    loopWindowMs: settings.RESTART_LOOP_MINUTES * 60_000,
    wanted,
    secrets: secretsOf(config),
    of(container) {
      const id = `${container.name}\n${container.service ?? ''}`;
      let known = cache.get(id);
      if (!known) {
        // Jobs with random names come and go for years.
        if (cache.size > 2000) cache.clear();
        cache.set(id, (known = decide(container)));
      }
      return known;
    },
    ...(memoryOf ? { memoryOf } : {}),
  };
}
