-- Run once, when the data directory of PostgreSQL is made.
CREATE DATABASE warehouse OWNER sluice;
