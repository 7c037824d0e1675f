package sqlite

import (
	"context"

	"github.com/sluicehq/sluice/internal/ledger"
)

// block books a delivery that waits for a parent. The parent's own delivery may
// have been booked since somebody looked, or in this settlement: blocked
// outcomes are booked last and look again.
func (s *settlement) block(o ledger.Outcome) error {
	ctx := context.Background()
	var to int64
	waits, err := s.conn.one(ctx, `UPDATE deliveries SET blocked = coalesce(blocked, ?), due = ?, suspect = 0,
		error_kind = ?, code = ?, message = ? WHERE id = ? AND state = 0 RETURNING destination`,
		func(r row) { to = r.int(0) },
		s.now.UnixMicro()-s.paused, dueAt(o.RetryAt), o.ErrorKind, o.Code, o.Message, o.DeliveryID)
	if err != nil || !waits {
		return err
	}
	for _, key := range o.Parents {
		if len(key.PlatformID) > ledger.LongestParent {
			continue
		}
		scope, err := s.l.ids.scope(s.conn, key)
		if err != nil {
			return err
		}
		if _, err := s.conn.exec(`INSERT INTO parents (destination, scope, platform_id, delivery_id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			to, scope, key.PlatformID, o.DeliveryID); err != nil {
			return err
		}
		if o.Seen {
			continue
		}
		there, err := s.conn.one(ctx, `SELECT 1 FROM records r JOIN deliveries d ON d.record_id = r.id AND d.destination = ?
			WHERE r.scope = ? AND r.platform_id = ? AND d.delivered > 0`, func(row) {}, to, scope, key.PlatformID)
		if err != nil {
			return err
		}
		if there {
			if _, err := s.conn.exec(`UPDATE deliveries SET due = 0 WHERE id = ?`, o.DeliveryID); err != nil {
				return err
			}
		}
	}
	return nil
}

// wake makes those ready that wait for what was just delivered.
func (s *settlement) wake(delivery int64) error {
	if !s.waits {
		return nil
	}
	ctx := context.Background()
	var to, scope int64
	var platformID string
	found, err := s.conn.one(ctx, `SELECT d.destination, r.scope, r.platform_id FROM deliveries d JOIN records r ON r.id = d.record_id WHERE d.id = ?`,
		func(r row) { to, scope, platformID = r.int(0), r.int(1), r.text(2) }, delivery)
	if err != nil || !found {
		return err
	}
	if _, err := s.conn.exec(`UPDATE deliveries SET due = 0 WHERE state = 0 AND due > 0 AND blocked IS NOT NULL AND id IN
		(SELECT delivery_id FROM parents WHERE destination = ? AND scope = ? AND platform_id = ?)`, to, scope, platformID); err != nil {
		return err
	}
	_, err = s.conn.exec(`DELETE FROM parents WHERE destination = ? AND scope = ? AND platform_id = ?`, to, scope, platformID)
	return err
}
