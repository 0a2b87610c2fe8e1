import { isAboutOne } from '../system/docker/answer.ts';
import { selfContainerId } from '../system/docker/containers.ts';
import type { Config } from '../config/schema.ts';
import type { Clock, Docker, DockerInspect, DockerListItem, Files } from '../system/types.ts';
import { kindByImage, worthALook } from './kind.ts';
import { errorText } from '../model/text.ts';

export type DiscoveryDeps = { docker: Docker; config: Config; clock: Clock; files: Files };

/** What Docker says, and from where it is looked at. */
export type Seen = {
  list: DockerListItem[];
  /** Of the containers that may be one of ours, and of those whose network one of ours uses. */
  inspects: DockerInspect[];
  selfId?: string;
  /** The engine's host, where that is another machine. */
  engineHost?: string;
  /** Why Docker could not be asked; then the rest is what was seen before. */
  dockerWhy?: string;
};

/** Inspects for the sake of n8n's neighbours: bounded, for each is a call. */
const MOST_NEIGHBOURS = 40;

/** One list, and an inspect of each container that may be one of ours. Never throws. */
export async function see(deps: DiscoveryDeps, signal: AbortSignal, before: Seen | undefined): Promise<Seen> {
  try {
    const list = await deps.docker.list(signal);
    const ours = await inspectAll(deps, list.filter(worthALook), signal);
    const owners = new Set(
      ours.map(({ hostConfig }) => /^container:(.+)$/.exec(hostConfig.networkMode)?.[1]),
    );
    const known = new Set(ours.map(({ id }) => id));
    // Only an inspect tells the aliases by which n8n may call a pooler or a database of an unknown image.
    const networks = new Set(
      ours.flatMap((one) => (kindByImage(one.image) === 'n8n' ? Object.keys(one.networks) : [])),
    );
    const near = list
      .filter(
        (one) => one.state === 'running' && Object.keys(one.networks).some((name) => networks.has(name)),
      )
      .slice(0, MOST_NEIGHBOURS);
    const more = list.filter(
      (one) => !known.has(one.id) && (owners.has(one.id) || owners.has(one.name) || near.includes(one)),
    );
    const inspects = [...ours, ...(await inspectAll(deps, more, signal))];
    return { list, inspects, ...place(deps) };
  } catch (error) {
    const { list, inspects } = before ?? { list: [], inspects: [] };
    return { list, inspects, ...place(deps), dockerWhy: errorText(error) };
  }
}

/** Containers that went away meanwhile, or tell more than is read, are left out. */
async function inspectAll(
  { docker }: DiscoveryDeps,
  items: DockerListItem[],
  signal: AbortSignal,
): Promise<DockerInspect[]> {
  const inspects: DockerInspect[] = [];
  for (const { id } of items) {
    try {
      inspects.push(await docker.inspect(id, signal));
    } catch (error) {
      if (!isAboutOne(error)) throw error;
    }
  }
  return inspects;
}

function place({ docker, files }: DiscoveryDeps): Pick<Seen, 'selfId' | 'engineHost'> {
  const selfId = selfContainerId(files);
  const host = URL.canParse(docker.address) ? new URL(docker.address).hostname : '';
  const elsewhere = host !== '' && !/^(localhost|127\.|\[::1\])/.test(host);
  return { ...(selfId ? { selfId } : {}), ...(elsewhere ? { engineHost: host } : {}) };
}
