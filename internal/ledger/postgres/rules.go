package postgres

import "github.com/sluicehq/sluice/internal/ledger"

// rule is one thing that must not be. Its query returns what breaks it: what it
// is about, and what is wrong.
type rule struct {
	check  string
	query  string
	advice string
}

const (
	adviceDriven  = "it would wait forever: keep a copy of the ledger and report this as a bug; a full sync delivers the records again"
	adviceCounted = "figures of status and metrics are off, and batches may be taken for done: keep a copy of the ledger and report this as a bug"
)

var rules = []rule{
	{ledger.CheckFiles, `SELECT 'event ' || d.event_seq, 'a delivery to ' || n.name || ' waits for it, and it is gone'
		FROM deliveries d JOIN names n ON n.id = d.destination
		WHERE d.state = 0 AND d.event_seq IS NOT NULL AND NOT EXISTS (SELECT 1 FROM events e WHERE e.seq = d.event_seq)`, ledger.AdviceRestore},

	{ledger.CheckBatches, `SELECT 'event ' || e.seq, 'no batch holds it, and it does not wait for one'
		FROM events e LEFT JOIN (SELECT unnest(seqs) AS seq FROM batches UNION ALL SELECT unnest(seqs) FROM arrivals) h ON h.seq = e.seq
		WHERE h.seq IS NULL`, adviceDriven},
	{ledger.CheckBatches, `SELECT 'event ' || seq, 'it is in ' || count(*) || ' batches or arrivals'
		FROM (SELECT unnest(seqs) AS seq FROM batches UNION ALL SELECT unnest(seqs) FROM arrivals) h GROUP BY seq HAVING count(*) > 1`, ledger.AdviceReport},
	{ledger.CheckBatches, `SELECT 'event ' || h.seq, 'it waits for a batch, and it is gone' FROM (SELECT unnest(seqs) AS seq FROM arrivals) h
		WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.seq = h.seq)`, ledger.AdviceRestore},
	{ledger.CheckBatches, `SELECT 'batch ' || id, 'its range is ' || first_seq || ' to ' || last_seq || ', and it has ' || cardinality(seqs) || ' events' FROM batches
		WHERE first_seq <> coalesce(seqs[1], 0) OR last_seq <> coalesce(seqs[cardinality(seqs)], 0)`, ledger.AdviceReport},

	{ledger.CheckDone, `SELECT 'batch ' || id, 'it is marked as done and was not applied' FROM batches WHERE done AND NOT applied AND first_seq > 0`, adviceDriven},
	{ledger.CheckDriven, `SELECT 'batch ' || d.batch, d.n || ' deliveries wait in it, and it is ' || CASE WHEN b.id IS NULL THEN 'gone' ELSE 'marked as done' END
		FROM (SELECT batch, count(*) AS n FROM deliveries WHERE state = 0 GROUP BY batch) d LEFT JOIN batches b ON b.id = d.batch
		WHERE b.id IS NULL OR b.done`, adviceDriven},

	{ledger.CheckVersions, `SELECT 'delivery ' || d.id, 'version ' || d.wanted || ' is wanted and ' || d.delivered || ' delivered, and the record is at ' || r.version
		FROM deliveries d JOIN records r ON r.id = d.record_id WHERE d.wanted > r.version OR d.delivered > r.version`, ledger.AdviceRestore},
	{ledger.CheckVersions, `SELECT 'delivery ' || id, 'it counts as delivered with version ' || delivered || ', and ' || wanted || ' is wanted'
		FROM deliveries WHERE state = 1 AND delivered < wanted`, ledger.AdviceReport},
	{ledger.CheckVersions, `SELECT 'delivery ' || id, 'its state is ' || state FROM deliveries WHERE state NOT IN (0, 1, 2)`, ledger.AdviceRestore},

	{ledger.CheckReferences, `SELECT 'delivery ' || d.id, 'its ' || CASE WHEN n.id IS NULL THEN 'destination' WHEN m.id IS NULL THEN 'model'
			WHEN r.id IS NULL THEN 'route' ELSE 'revision' END || ' has no name'
		FROM deliveries d LEFT JOIN names n ON n.id = d.destination LEFT JOIN names m ON m.id = d.model
		LEFT JOIN names r ON r.id = d.route LEFT JOIN names v ON v.id = d.revision
		WHERE n.id IS NULL OR m.id IS NULL OR r.id IS NULL OR v.id IS NULL`, ledger.AdviceRestore},
	{ledger.CheckReferences, `SELECT 'delivery ' || d.id, 'its record ' || d.record_id || ' is gone' FROM deliveries d
		WHERE d.record_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM records r WHERE r.id = d.record_id)`, ledger.AdviceRestore},
	{ledger.CheckReferences, `SELECT 'delivery ' || id, 'it is of no record and of no event' FROM deliveries
		WHERE record_id IS NULL AND (event_seq IS NULL OR idx IS NULL)`, ledger.AdviceRestore},
	{ledger.CheckReferences, `SELECT 'record ' || r.id, 'its scope ' || r.scope || ' is gone' FROM records r
		WHERE NOT EXISTS (SELECT 1 FROM scopes c WHERE c.id = r.scope)`, ledger.AdviceRestore},

	// An open dead letter stays while a newer version is on its way.
	{ledger.CheckLetters, `SELECT 'dead letter ' || l.id, CASE WHEN d.id IS NULL THEN 'its delivery ' || l.delivery_id || ' is gone' ELSE 'what it is about was delivered' END
		FROM dead_letters l LEFT JOIN deliveries d ON d.id = l.delivery_id
		WHERE l.state = 'open' AND l.delivery_id IS NOT NULL AND (d.id IS NULL OR d.state = 1)`, "discard it with sluice dead-letters discard, and report this as a bug"},
	{ledger.CheckLetters, `SELECT 'delivery ' || d.id, 'it was given up and there is no dead letter that says why' FROM deliveries d
		WHERE d.state = 2 AND NOT EXISTS (SELECT 1 FROM dead_letters l WHERE l.delivery_id = d.id AND l.state IN ('open', 'discarded'))`, adviceDriven},
	{ledger.CheckLetters, `SELECT 'dead letter ' || id, 'it gives no reason' FROM dead_letters WHERE error_kind = ''`, ledger.AdviceReport},
	{ledger.CheckLetters, `SELECT 'dead letter ' || id, 'its state is ' || state FROM dead_letters
		WHERE state NOT IN ('open', 'retried', 'discarded', 'superseded')`, ledger.AdviceReport},

	{ledger.CheckCounters, `WITH there AS (
			SELECT destination, model, count(*) FILTER (WHERE state = 0) AS w, count(*) FILTER (WHERE state = 1) AS d, count(*) FILTER (WHERE state = 2) AS x FROM
				(SELECT destination, model, state FROM deliveries UNION ALL
				SELECT n.id, m.id, 2 FROM dead_letters l JOIN names n ON n.name = l.destination JOIN names m ON m.name = l.model
					WHERE l.delivery_id IS NULL) a
			GROUP BY destination, model),
		counted AS (SELECT destination, model, sum(waiting) AS w, sum(delivered) AS d, sum(dead) AS x FROM delivery_counts GROUP BY destination, model),
		together AS (SELECT destination, model, coalesce(t.w, 0) AS w, coalesce(t.d, 0) AS d, coalesce(t.x, 0) AS x,
			coalesce(c.w, 0) AS cw, coalesce(c.d, 0) AS cd, coalesce(c.x, 0) AS cx FROM there t FULL JOIN counted c USING (destination, model))
		SELECT 'deliveries to ' || coalesce(n.name, b.destination::text) || ' of ' || coalesce(m.name, b.model::text),
			format('waiting, delivered, dead: %s, %s, %s counted, %s, %s, %s there', cw, cd, cx, w, d, x)
		FROM together b LEFT JOIN names n ON n.id = b.destination LEFT JOIN names m ON m.id = b.model
		WHERE w <> cw OR d <> cd OR x <> cx`, adviceCounted},
	{ledger.CheckCounters, `WITH there AS (SELECT batch, destination, model, count(*) AS w FROM deliveries WHERE state = 0 GROUP BY batch, destination, model)
		SELECT 'batch ' || batch, coalesce(c.waiting, 0) || ' are counted as waiting, ' || coalesce(t.w, 0) || ' wait'
		FROM there t FULL JOIN batch_counts c USING (batch, destination, model)
		WHERE coalesce(t.w, 0) <> coalesce(c.waiting, 0)`, adviceCounted},
	{ledger.CheckCounters, `SELECT 'batch ' || batch, 'a counter is negative' FROM batch_counts WHERE least(waiting, delivered, dead) < 0`, adviceCounted},

	{ledger.CheckPauses, `SELECT 'pause of ' || destination, 'its reason is ' || reason
		FROM pauses WHERE reason NOT IN ('operator', 'throttled', 'misconfigured', 'down', 'restarting') OR destination = ''`,
		"end it with sluice destinations resume"},

	// A row of parents may be left of what has gone on.
	{ledger.CheckMappings, `SELECT 'delivery ' || p.delivery_id, CASE WHEN d.id IS NULL THEN 'it is to wait for a parent, and it is gone'
			WHEN d.record_id IS NULL THEN 'it is to wait for a parent, and it is of no record'
			WHEN d.destination <> p.destination THEN 'it is to wait for a parent at another destination'
			ELSE 'the scope ' || p.scope || ' of its parent is gone' END
		FROM parents p LEFT JOIN deliveries d ON d.id = p.delivery_id
		WHERE d.id IS NULL OR d.record_id IS NULL OR d.destination <> p.destination
			OR NOT EXISTS (SELECT 1 FROM scopes c WHERE c.id = p.scope)`, ledger.AdviceReport},
	{ledger.CheckMappings, `SELECT 'delivery ' || id, 'it was delivered, and waits for a parent' FROM deliveries WHERE state = 1 AND blocked IS NOT NULL`, ledger.AdviceReport},
	{ledger.CheckMappings, `SELECT 'delivery ' || id, 'it remembers elements of lists, and it is of no record' FROM deliveries
		WHERE children IS NOT NULL AND record_id IS NULL`, ledger.AdviceReport},
	{ledger.CheckMappings, `SELECT 'event ' || u.event_seq, 'no route takes it, and it is gone' FROM unrouted u
		WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.seq = u.event_seq)`, ledger.AdviceRestore},
}
