BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('chassis_0007');
INSERT INTO "alembic_version" VALUES('payment_0004');
CREATE TABLE audit_record (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	occur_time BIGINT NOT NULL, 
	actor VARCHAR NOT NULL, 
	method VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	request BLOB NOT NULL, 
	response BLOB NOT NULL, 
	correlation_id VARCHAR NOT NULL
);
CREATE TABLE dead_letter (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	dead_letter_id VARCHAR NOT NULL, 
	consumer VARCHAR NOT NULL, 
	epoch VARCHAR NOT NULL, 
	position BIGINT NOT NULL, 
	aggregate_id VARCHAR NOT NULL, 
	event BLOB NOT NULL, 
	error VARCHAR NOT NULL, 
	attempt_count INTEGER NOT NULL, 
	park_time BIGINT NOT NULL, 
	discard_time BIGINT, 
	discard_reason VARCHAR NOT NULL, discard_actor VARCHAR DEFAULT '' NOT NULL, 
	CONSTRAINT dead_letter_event UNIQUE (consumer, epoch, position), 
	UNIQUE (dead_letter_id)
);
CREATE TABLE event (
	position INTEGER NOT NULL, 
	event_id VARCHAR NOT NULL, 
	stream VARCHAR NOT NULL, 
	version INTEGER NOT NULL, 
	type VARCHAR NOT NULL, 
	payload BLOB NOT NULL, 
	occur_time BIGINT NOT NULL, 
	correlation_id VARCHAR NOT NULL, 
	causation_id VARCHAR NOT NULL, 
	traceparent VARCHAR NOT NULL, topic VARCHAR DEFAULT '' NOT NULL, actor VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (position), 
	CONSTRAINT event_stream_version UNIQUE (stream, version)
);
CREATE TABLE event_counter (
	id INTEGER NOT NULL, 
	position BIGINT NOT NULL, 
	epoch VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT event_counter_one_row CHECK (id = 1)
);
INSERT INTO "event_counter" VALUES(1,0,'first');
CREATE TABLE lease (
	subject VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	owner VARCHAR NOT NULL, 
	token BIGINT NOT NULL, 
	lease_expire_time BIGINT NOT NULL, 
	next_attempt_time BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	deadline_time BIGINT, 
	open_time BIGINT NOT NULL, 
	step VARCHAR NOT NULL, 
	step_since_time BIGINT NOT NULL, 
	last_error VARCHAR NOT NULL, 
	needs_review BOOLEAN NOT NULL, 
	PRIMARY KEY (subject)
)
 WITHOUT ROWID

;
CREATE TABLE ledger_entry (
	sequence INTEGER NOT NULL, 
	posting_id VARCHAR NOT NULL, 
	payment_id VARCHAR NOT NULL, 
	order_id VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	request_id VARCHAR NOT NULL, 
	account VARCHAR NOT NULL, 
	side VARCHAR NOT NULL, 
	currency_code VARCHAR NOT NULL, 
	amount_minor BIGINT NOT NULL, 
	occur_time BIGINT NOT NULL, requester VARCHAR DEFAULT '' NOT NULL, reason VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (sequence), 
	CONSTRAINT ledger_entry_amount_positive CHECK (amount_minor > 0), 
	CONSTRAINT ledger_entry_posted_once UNIQUE (payment_id, kind, request_id, side), 
	FOREIGN KEY(payment_id) REFERENCES payment (payment_id)
);
CREATE TABLE payment (
	payment_id VARCHAR NOT NULL, 
	order_id VARCHAR NOT NULL, 
	customer_id VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	currency_code VARCHAR NOT NULL, 
	amount_minor BIGINT NOT NULL, 
	captured_minor BIGINT NOT NULL, 
	refunded_minor BIGINT NOT NULL, 
	refund_pending_minor BIGINT NOT NULL, 
	payment_method VARCHAR NOT NULL, 
	expire_after_micros BIGINT NOT NULL, 
	authorize_request_id VARCHAR NOT NULL, 
	origin VARCHAR NOT NULL, 
	authorization_reference VARCHAR NOT NULL, 
	authorize_expire_time BIGINT, 
	refusal VARCHAR NOT NULL, 
	decline_code VARCHAR NOT NULL, 
	void_request_id VARCHAR NOT NULL, 
	captures VARCHAR NOT NULL, 
	refunds VARCHAR NOT NULL, 
	version INTEGER NOT NULL, 
	create_time BIGINT NOT NULL, 
	update_time BIGINT NOT NULL, history BLOB DEFAULT '' NOT NULL, 
	PRIMARY KEY (payment_id), 
	CONSTRAINT payment_amount_not_negative CHECK (amount_minor >= 0), 
	CONSTRAINT payment_captured_all CHECK (captured_minor IN (0, amount_minor)), 
	CONSTRAINT payment_refunded_at_most_captured CHECK (refunded_minor >= 0 AND refund_pending_minor >= 0 AND refunded_minor + refund_pending_minor <= captured_minor), 
	UNIQUE (authorize_request_id)
)
 WITHOUT ROWID

;
CREATE TABLE request (
	method VARCHAR NOT NULL, 
	request_id VARCHAR NOT NULL, 
	fingerprint BLOB NOT NULL, 
	resource VARCHAR NOT NULL, 
	response BLOB, 
	create_time BIGINT NOT NULL, 
	PRIMARY KEY (method, request_id)
)
 WITHOUT ROWID

;
CREATE TABLE schema_compatibility (
	revision VARCHAR NOT NULL, 
	compatible_from VARCHAR NOT NULL, 
	PRIMARY KEY (revision)
);
INSERT INTO "schema_compatibility" VALUES('chassis_0007','chassis_0007');
INSERT INTO "schema_compatibility" VALUES('payment_0004','payment_0004');
CREATE TABLE subscription (
	consumer VARCHAR NOT NULL, 
	epoch VARCHAR NOT NULL, 
	position BIGINT NOT NULL, event_id VARCHAR DEFAULT '' NOT NULL, event_at VARCHAR DEFAULT '' NOT NULL, refusal VARCHAR DEFAULT '' NOT NULL, restored_head BIGINT, 
	PRIMARY KEY (consumer)
)
 WITHOUT ROWID

;
CREATE INDEX lease_due ON lease (kind, next_attempt_time);
CREATE INDEX dead_letter_aggregate ON dead_letter (consumer, aggregate_id, position);
CREATE INDEX audit_record_by_actor ON audit_record (actor, sequence);
CREATE UNIQUE INDEX payment_live_by_order ON payment (order_id) WHERE state NOT IN ('DECLINED', 'VOIDED', 'EXPIRED');
CREATE INDEX payment_by_order ON payment (order_id, create_time, payment_id);
CREATE INDEX payment_by_age ON payment (create_time, payment_id);
CREATE UNIQUE INDEX ledger_entry_captured_once ON ledger_entry (payment_id, side) WHERE kind = 'CAPTURED';
CREATE INDEX payment_by_state ON payment (state, create_time, payment_id);
DELETE FROM "sqlite_sequence";
COMMIT;
