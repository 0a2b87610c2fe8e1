import type { Config } from '../config/schema.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { plain } from '../model/text.ts';
import type { DockerInspect } from '../system/types.ts';
import { kindByImage } from './kind.ts';
import { engineNames, namesByEngine } from './trust.ts';

/**
 * Never stopped: the container in which vpsmon runs, those that ESSENTIAL_CONTAINERS or vpsmon.yaml mean, and databases and applications
 * that vpsmon knows by their image, unless vpsmon.yaml says otherwise. A Compose service counts where `inspect` shows it as
 * a network alias, which Compose sets and an image cannot.
 */
export function isEssential(
  container: Pick<ContainerInfo, 'name' | 'self' | 'image'>,
  config: Pick<Config, 'settings' | 'extra'>,
  inspect?: Pick<DockerInspect, 'networks'>,
): boolean {
  return whyEssential(container, config, inspect) !== undefined;
}

const ADDRESSES = [
  'POSTGRES_URL',
  'POSTGRES_HOST',
  'REDIS_URL',
  'REDIS_HOST',
  'N8N_URL',
  'WAHA_URL',
] as const;

/** `postgres://u:p@shop-db:5432/x` and `shop-db` -> shop-db. Empty where there is none. */
function hostSetBy(setting: string): string {
  const host = setting.includes('://') && URL.canParse(setting) ? new URL(setting).hostname : setting;
  return host.toLowerCase();
}

/** Why it is never stopped, in a few words for people; undefined where it may be. */
export function whyEssential(
  container: Pick<ContainerInfo, 'name' | 'self' | 'image'>,
  config: Pick<Config, 'settings' | 'extra'>,
  inspect?: Pick<DockerInspect, 'networks'>,
): string | undefined {
  if (container.self) return 'vpsmon itself';
  const { name, image } = container;
  const names = engineNames({ name, networks: inspect?.networks ?? {} });
  // One entry may name the container and another its service: "essential" wins.
  const marks = config.extra.services
    .filter((service) => names.includes(service.name.trim().toLowerCase()))
    .map(({ essential }) => essential);
  if (marks.includes(true)) return 'essential in vpsmon.yaml';
  if (marks.includes(false)) return undefined;
  const setting = config.settings.ESSENTIAL_CONTAINERS.find((one) => namesByEngine(one, names, image));
  if (setting !== undefined) return `${plain(setting, 60)} in ESSENTIAL_CONTAINERS`;
  // What a person set as an address that is watched is one of those that they live by, whatever its image.
  const named = ADDRESSES.find((key) => names.includes(hostSetBy(config.settings[key])));
  if (named !== undefined) return `${named} names it`;
  const kind = kindByImage(image);
  return kind === undefined ? undefined : `its image is ${kind}`;
}
