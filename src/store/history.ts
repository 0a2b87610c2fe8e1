export const HISTORY_MIGRATIONS: readonly string[] = [];
