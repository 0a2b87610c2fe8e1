export const ACTION_MIGRATIONS: readonly string[] = [];
