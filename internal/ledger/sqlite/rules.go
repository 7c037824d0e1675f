package sqlite

import "github.com/sluicehq/sluice/internal/ledger"

// rule is one thing that must not be. Its query returns what breaks it: what it
// is about, and what is wrong. The events file is main, the state file is s.
type rule struct {
	check  string
	query  string
	advice string
}

const (
	adviceFiles   = "the two files are not from the same moment: restore both from one backup"
	adviceDriven  = "it would wait forever: keep a copy of the ledger and report this as a bug; a full sync delivers the records again"
	adviceCounted = "figures of status and metrics are off, and batches may be taken for done: keep a copy of the ledger and report this as a bug"
)

var rules = []rule{
	// Numbers that come again would be taken for what is done already.
	{ledger.CheckFiles, `SELECT 'batch ' || max(b.id), 'state.db knows it, events.db gave out numbers up to ' || q.seq
		FROM s.batches b, (SELECT coalesce(max(seq), 0) AS seq FROM main.sqlite_sequence WHERE name = 'batches') q
		WHERE b.id > q.seq HAVING count(*) > 0`, adviceFiles},
	{ledger.CheckFiles, `SELECT 'event ' || max(d.event_seq), 'state.db knows it, events.db gave out numbers up to ' || q.seq
		FROM s.deliveries d, (SELECT max(coalesce((SELECT max(seq) FROM main.events), 0), (SELECT max(claimed_seq) FROM main.cursor)) AS seq) q
		WHERE d.event_seq > q.seq HAVING count(*) > 0`, adviceFiles},
	{ledger.CheckFiles, `SELECT 'event ' || d.event_seq, 'a delivery to ' || n.name || ' waits for it, and it is gone'
		FROM s.deliveries d JOIN s.names n ON n.id = d.destination
		WHERE d.state = 0 AND d.event_seq IS NOT NULL AND NOT EXISTS (SELECT 1 FROM main.events e WHERE e.seq = d.event_seq)`, adviceFiles},

	{ledger.CheckBatches, `SELECT 'cursor', 'it has ' || count(*) || ' rows, not one' FROM main.cursor HAVING count(*) <> 1`, ledger.AdviceRestore},
	{ledger.CheckBatches, `SELECT 'batch ' || id, 'its range is ' || first_seq || ' to ' || last_seq FROM main.batches
		WHERE first_seq > last_seq OR first_seq < 0 OR (first_seq = 0 AND last_seq <> 0)`, ledger.AdviceRestore},
	{ledger.CheckBatches, `SELECT 'batch ' || id, 'it begins with event ' || first_seq || ', which an earlier batch holds too'
		FROM (SELECT id, first_seq, lag(last_seq) OVER (ORDER BY first_seq, id) AS before FROM main.batches WHERE first_seq > 0)
		WHERE before >= first_seq`, ledger.AdviceReport},
	{ledger.CheckBatches, `SELECT 'batch ' || b.id, 'it ends with event ' || b.last_seq || ', and events are given out up to ' || c.claimed_seq
		FROM main.batches b, main.cursor c WHERE b.last_seq > c.claimed_seq`, ledger.AdviceReport},
	{ledger.CheckBatches, `SELECT 'event ' || e.seq, 'it was given out (up to ' || c.claimed_seq || ') and no batch holds it'
		FROM main.events e, main.cursor c WHERE e.seq <= c.claimed_seq AND coalesce(
			(SELECT b.first_seq FROM main.batches b WHERE b.last_seq >= e.seq ORDER BY b.last_seq LIMIT 1), e.seq + 1) > e.seq`, adviceDriven},

	{ledger.CheckDone, `SELECT 'batch ' || b.id, 'it is marked as done and was not applied' FROM main.batches b
		WHERE b.done = 1 AND b.first_seq > 0 AND NOT EXISTS (SELECT 1 FROM s.batches t WHERE t.id = b.id AND t.applied = 1)`, adviceDriven},
	{ledger.CheckDriven, `SELECT 'batch ' || d.batch, d.n || ' deliveries wait in it, and it is ' || CASE WHEN b.id IS NULL THEN 'gone' ELSE 'marked as done' END
		FROM (SELECT batch, count(*) AS n FROM s.deliveries WHERE state = 0 GROUP BY batch) d LEFT JOIN main.batches b ON b.id = d.batch
		WHERE b.id IS NULL OR b.done = 1`, adviceDriven},

	{ledger.CheckVersions, `SELECT 'delivery ' || d.id, 'version ' || d.wanted || ' is wanted and ' || d.delivered || ' delivered, and the record is at ' || r.version
		FROM s.deliveries d JOIN s.records r ON r.id = d.record_id WHERE d.wanted > r.version OR d.delivered > r.version`, ledger.AdviceRestore},
	{ledger.CheckVersions, `SELECT 'delivery ' || id, 'it counts as delivered with version ' || delivered || ', and ' || wanted || ' is wanted'
		FROM s.deliveries WHERE state = 1 AND delivered < wanted`, ledger.AdviceReport},
	{ledger.CheckVersions, `SELECT 'delivery ' || id, 'its state is ' || state FROM s.deliveries WHERE state NOT IN (0, 1, 2)`, ledger.AdviceRestore},

	{ledger.CheckReferences, `SELECT 'delivery ' || d.id, 'its ' || CASE WHEN n.id IS NULL THEN 'destination' WHEN m.id IS NULL THEN 'model'
			WHEN r.id IS NULL THEN 'route' ELSE 'revision' END || ' has no name'
		FROM s.deliveries d LEFT JOIN s.names n ON n.id = d.destination LEFT JOIN s.names m ON m.id = d.model
		LEFT JOIN s.names r ON r.id = d.route LEFT JOIN s.names v ON v.id = d.revision
		WHERE n.id IS NULL OR m.id IS NULL OR r.id IS NULL OR v.id IS NULL`, ledger.AdviceRestore},
	{ledger.CheckReferences, `SELECT 'delivery ' || d.id, 'its record ' || d.record_id || ' is gone' FROM s.deliveries d
		WHERE d.record_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM s.records r WHERE r.id = d.record_id)`, ledger.AdviceRestore},
	{ledger.CheckReferences, `SELECT 'delivery ' || id, 'it is of no record and of no event' FROM s.deliveries
		WHERE record_id IS NULL AND (event_seq IS NULL OR idx IS NULL)`, ledger.AdviceRestore},
	{ledger.CheckReferences, `SELECT 'record ' || r.id, 'its scope ' || r.scope || ' is gone' FROM s.records r
		WHERE NOT EXISTS (SELECT 1 FROM s.scopes c WHERE c.id = r.scope)`, ledger.AdviceRestore},

	// An open dead letter stays while a newer version is on its way.
	{ledger.CheckLetters, `SELECT 'dead letter ' || l.id, CASE WHEN d.id IS NULL THEN 'its delivery ' || l.delivery_id || ' is gone' ELSE 'what it is about was delivered' END
		FROM s.dead_letters l LEFT JOIN s.deliveries d ON d.id = l.delivery_id
		WHERE l.state = 'open' AND l.delivery_id IS NOT NULL AND (d.id IS NULL OR d.state = 1)`, "discard it with sluice dead-letters discard, and report this as a bug"},
	{ledger.CheckLetters, `SELECT 'delivery ' || d.id, 'it was given up and there is no dead letter that says why' FROM s.deliveries d
		WHERE d.state = 2 AND d.id NOT IN (SELECT delivery_id FROM s.dead_letters WHERE delivery_id IS NOT NULL AND state IN ('open', 'discarded'))`, adviceDriven},
	{ledger.CheckLetters, `SELECT 'dead letter ' || id, 'it gives no reason' FROM s.dead_letters WHERE error_kind = ''`, ledger.AdviceReport},
	{ledger.CheckLetters, `SELECT 'dead letter ' || id, 'its state is ' || state FROM s.dead_letters
		WHERE state NOT IN ('open', 'retried', 'discarded', 'superseded')`, ledger.AdviceReport},

	{ledger.CheckCounters, `WITH rows AS (
			SELECT destination, model, sum(state = 0) AS w, sum(state = 1) AS d, sum(state = 2) AS x FROM
				(SELECT destination, model, state FROM s.deliveries UNION ALL
				SELECT n.id, m.id, 2 FROM s.dead_letters l JOIN s.names n ON n.name = l.destination JOIN s.names m ON m.name = l.model
					WHERE l.delivery_id IS NULL)
			GROUP BY destination, model),
		both AS (SELECT coalesce(r.destination, c.destination) AS destination, coalesce(r.model, c.model) AS model,
			coalesce(r.w, 0) AS w, coalesce(r.d, 0) AS d, coalesce(r.x, 0) AS x,
			coalesce(c.waiting, 0) AS cw, coalesce(c.delivered, 0) AS cd, coalesce(c.dead, 0) AS cx
			FROM rows r FULL JOIN s.delivery_counts c ON c.destination = r.destination AND c.model = r.model)
		SELECT 'deliveries to ' || coalesce(n.name, b.destination) || ' of ' || coalesce(m.name, b.model),
			format('waiting, delivered, dead: %d, %d, %d counted, %d, %d, %d there', cw, cd, cx, w, d, x)
		FROM both b LEFT JOIN s.names n ON n.id = b.destination LEFT JOIN s.names m ON m.id = b.model
		WHERE w <> cw OR d <> cd OR x <> cx`, adviceCounted},
	{ledger.CheckCounters, `WITH rows AS (SELECT batch, destination, model, count(*) AS w FROM s.deliveries WHERE state = 0 GROUP BY batch, destination, model)
		SELECT 'batch ' || coalesce(r.batch, c.batch), coalesce(c.waiting, 0) || ' are counted as waiting, ' || coalesce(r.w, 0) || ' wait'
		FROM rows r FULL JOIN s.batch_counts c ON c.batch = r.batch AND c.destination = r.destination AND c.model = r.model
		WHERE coalesce(r.w, 0) <> coalesce(c.waiting, 0)`, adviceCounted},
	{ledger.CheckCounters, `SELECT 'batch ' || batch, 'a counter is negative' FROM s.batch_counts WHERE min(waiting, delivered, dead) < 0`, adviceCounted},

	{ledger.CheckPauses, `SELECT 'pause of ' || destination, 'its reason is ' || reason
		FROM s.pauses WHERE reason NOT IN ('operator', 'throttled', 'misconfigured', 'down', 'restarting') OR destination = ''`,
		"end it with sluice destinations resume"},

	// A row of parents may be left of what has gone on.
	{ledger.CheckMappings, `SELECT 'delivery ' || p.delivery_id, CASE WHEN d.id IS NULL THEN 'it is to wait for a parent, and it is gone'
			WHEN d.record_id IS NULL THEN 'it is to wait for a parent, and it is of no record'
			WHEN d.destination <> p.destination THEN 'it is to wait for a parent at another destination'
			ELSE 'the scope ' || p.scope || ' of its parent is gone' END
		FROM s.parents p LEFT JOIN s.deliveries d ON d.id = p.delivery_id
		WHERE d.id IS NULL OR d.record_id IS NULL OR d.destination <> p.destination
			OR NOT EXISTS (SELECT 1 FROM s.scopes c WHERE c.id = p.scope)`, ledger.AdviceReport},
	{ledger.CheckMappings, `SELECT 'delivery ' || id, 'it was delivered, and waits for a parent' FROM s.deliveries WHERE state = 1 AND blocked IS NOT NULL`, ledger.AdviceReport},
	{ledger.CheckMappings, `SELECT 'delivery ' || id, 'it remembers elements of lists, and it is of no record' FROM s.deliveries
		WHERE children IS NOT NULL AND record_id IS NULL`, ledger.AdviceReport},
	{ledger.CheckMappings, `SELECT 'event ' || u.event_seq, 'no route takes it, and it is gone' FROM s.unrouted u
		WHERE NOT EXISTS (SELECT 1 FROM main.events e WHERE e.seq = u.event_seq)`, adviceFiles},
}
