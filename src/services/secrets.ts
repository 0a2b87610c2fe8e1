export { secretsFromEnv } from '../model/env-secrets.ts';
