// Command sluice-destination-journal keeps records, changes and events in one file
// of JSON lines: the example of docs/plugins.md for other languages than Go.
import { z } from 'zod';
import { Journal } from './journal.js';
import { serve } from './sluice/index.js';

const settings = z.strictObject({
  path: z.string().min(1).describe('The file. It and its directories are made when they are not there.'),
  signing_key: z.string().min(16).optional().meta({
    writeOnly: true,
    description: 'Signs each line (HMAC-SHA256), so that a reader can tell that nobody else wrote it.',
  }),
});

serve({
  name: 'journal',
  version: '1.0.0',
  settings,
  capabilities: ['records', 'changes', 'events', 'check', 'dry_run'],
  maxBatchRecords: 500,
  open: (s, signal) => Journal.open({ path: s.path, signingKey: s.signing_key }, signal),
});
