import type Database from 'libsql';

export type Db = Database.Database;
