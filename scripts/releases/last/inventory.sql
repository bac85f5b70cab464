BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('chassis_0007');
INSERT INTO "alembic_version" VALUES('inventory_0003');
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
CREATE TABLE item (
	sku VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	currency_code VARCHAR NOT NULL, 
	unit_price_minor BIGINT NOT NULL, 
	revision INTEGER NOT NULL, 
	stream_version INTEGER NOT NULL, 
	update_time BIGINT NOT NULL, 
	PRIMARY KEY (sku), 
	CONSTRAINT item_price_not_negative CHECK (unit_price_minor >= 0)
)
 WITHOUT ROWID

;
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
CREATE TABLE reservation (
	reservation_id VARCHAR NOT NULL, 
	order_id VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	currency_code VARCHAR NOT NULL, 
	total_minor BIGINT, 
	expire_time BIGINT, 
	refusal BLOB, 
	version INTEGER NOT NULL, 
	create_time BIGINT NOT NULL, 
	update_time BIGINT NOT NULL, 
	PRIMARY KEY (reservation_id)
)
 WITHOUT ROWID

;
CREATE TABLE reservation_line (
	reservation_id VARCHAR NOT NULL, 
	sku VARCHAR NOT NULL, 
	quantity BIGINT NOT NULL, 
	name VARCHAR NOT NULL, 
	unit_price_minor BIGINT NOT NULL, returned BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (reservation_id, sku), 
	CONSTRAINT reservation_line_quantity_positive CHECK (quantity > 0), 
	FOREIGN KEY(reservation_id) REFERENCES reservation (reservation_id), 
	FOREIGN KEY(sku) REFERENCES item (sku)
)
 WITHOUT ROWID

;
CREATE TABLE schema_compatibility (
	revision VARCHAR NOT NULL, 
	compatible_from VARCHAR NOT NULL, 
	PRIMARY KEY (revision)
);
INSERT INTO "schema_compatibility" VALUES('chassis_0007','chassis_0007');
INSERT INTO "schema_compatibility" VALUES('inventory_0003','inventory_0003');
CREATE TABLE stock (
	sku VARCHAR NOT NULL, 
	on_hand BIGINT NOT NULL, 
	held BIGINT NOT NULL, 
	committed BIGINT NOT NULL, 
	version BIGINT NOT NULL, 
	PRIMARY KEY (sku), 
	CONSTRAINT stock_on_hand_not_negative CHECK (on_hand >= 0), 
	CONSTRAINT stock_held_not_negative CHECK (held >= 0), 
	CONSTRAINT stock_committed_not_negative CHECK (committed >= 0), 
	CONSTRAINT stock_available_not_negative CHECK (held + committed <= on_hand), 
	FOREIGN KEY(sku) REFERENCES item (sku)
)
 WITHOUT ROWID

;
CREATE TABLE stock_movement (
	sequence INTEGER NOT NULL, 
	sku VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	on_hand_delta BIGINT NOT NULL, 
	held_delta BIGINT NOT NULL, 
	committed_delta BIGINT NOT NULL, 
	reservation_id VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	occur_time BIGINT NOT NULL, actor VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (sequence), 
	FOREIGN KEY(sku) REFERENCES item (sku)
);
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
CREATE INDEX reservation_by_state ON reservation (state, create_time, reservation_id);
CREATE INDEX reservation_hold_by_expiry ON reservation (state, expire_time) WHERE state = 'HELD';
CREATE INDEX stock_movement_by_sku ON stock_movement (sku, sequence);
CREATE INDEX stock_movement_by_reservation ON stock_movement (reservation_id, sequence);
DELETE FROM "sqlite_sequence";
COMMIT;
