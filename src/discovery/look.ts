import { isAboutOne } from '../system/docker/answer.ts';
import { selfContainerId } from '../system/docker/containers.ts';
import type { Config } from '../config/schema.ts';
import type { Clock, Docker, DockerError, DockerInspect, DockerListItem, Files } from '../system/types.ts';
import { kindByImage, worthALook, type Kind } from './kind.ts';
import { errorText, plain } from '../model/text.ts';

export type DiscoveryDeps = { docker: Docker; config: Config; clock: Clock; files: Files };

/** What Docker says, and from where it is looked at. */
export type DockerView = {
  list: DockerListItem[];
  /** Of the containers that may be one of ours, and of those whose network one of ours uses. */
  inspects: DockerInspect[];
  /** What an image is of, and why its container could not be inspected: it says more than anybody reads. */
  unread?: { kind: Kind; why: string }[];
  selfId?: string;
  /** The engine's host, where that is another machine. */
  engineHost?: string;
  /** Why Docker could not be asked; then the rest is what was seen before. */
  dockerWhy?: string;
};

/** Inspects for the sake of n8n's neighbours: bounded, for each is a call. */
const MOST_NEIGHBOURS = 40;

/** One list, and an inspect of each container that may be one of ours. Never throws. */
export async function see(
  deps: DiscoveryDeps,
  signal: AbortSignal,
  before: DockerView | undefined,
): Promise<DockerView> {
  try {
    const list = await deps.docker.list(signal);
    const { inspects: ours, unread } = await inspectAll(deps, list.filter(worthALook), signal);
    const owners = new Set(
      ours.map(({ hostConfig }) => /^container:(.+)$/.exec(hostConfig.networkMode)?.[1]),
    );
    const known = new Set(ours.map(({ id }) => id));
    // Only an inspect shows the aliases by which n8n may call a pooler or a database of an unknown image.
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
    const inspects = [...ours, ...(await inspectAll(deps, more, signal)).inspects];
    return { list, inspects, ...(unread.length > 0 ? { unread } : {}), ...place(deps) };
  } catch (error) {
    const { list, inspects } = before ?? { list: [], inspects: [] };
    return { list, inspects, ...place(deps), dockerWhy: errorText(error) };
  }
}

/** Containers that went away meanwhile are left out, and so are, with a word, those that say more than is read. */
async function inspectAll(
  { docker }: DiscoveryDeps,
  items: DockerListItem[],
  signal: AbortSignal,
): Promise<{ inspects: DockerInspect[]; unread: NonNullable<DockerView['unread']> }> {
  const inspects: DockerInspect[] = [];
  const unread: NonNullable<DockerView['unread']> = [];
  for (const { id, name, image } of items) {
    try {
      inspects.push(await docker.inspect(id, signal));
    } catch (error) {
      if (!isAboutOne(error)) throw error;
      const kind = kindByImage(image);
      if (kind === undefined || (error as DockerError).status === 404) continue;
      unread.push({ kind, why: `container ${plain(name, 60)} cannot be inspected: ${errorText(error)}` });
    }
  }
  return { inspects, unread };
}

function place({ docker, files }: DiscoveryDeps): Pick<DockerView, 'selfId' | 'engineHost'> {
  const selfId = selfContainerId(files);
  const host = URL.canParse(docker.address) ? new URL(docker.address).hostname : '';
  const elsewhere = host !== '' && !/^(localhost|127\.|\[::1\])/.test(host);
  return { ...(selfId ? { selfId } : {}), ...(elsewhere ? { engineHost: host } : {}) };
}
