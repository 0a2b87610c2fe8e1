import type { DockerInspect, DockerListItem } from '../system/types.ts';
import type { Kind } from './kind.ts';

/** A recognised container, its environment and command as they are: anything at all may stand there. */
export type Candidate = {
  kind: Kind;
  inspect: DockerInspect;
  /** Its place in the networks. */
  at: Located;
  env: Map<string, string>;
  running: boolean;
  /** Its image says what it is, not merely its own claims (see trust.ts). */
  byImage: boolean;
};
/** What is known of every container, recognised or not. */
export type Located = Pick<DockerListItem, 'id' | 'name' | 'labels' | 'networks' | 'ports'> & {
  networkMode?: string;
};
