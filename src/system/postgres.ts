import type { Postgres } from './types.ts';

export type PostgresAddress = {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
};

export function openPostgres(target: PostgresAddress, _options: { applicationName: string }): Postgres {
  return {
    address: `${target.host}:${target.port}`,
    query: async () => [],
    readOnly: async () => [],
    close: async () => {},
  };
}
