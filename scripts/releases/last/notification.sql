BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('chassis_0007');
INSERT INTO "alembic_version" VALUES('notification_0002');
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
CREATE TABLE brief (
	order_id VARCHAR NOT NULL, 
	customer_id VARCHAR NOT NULL, 
	currency_code VARCHAR NOT NULL, 
	minor_units BIGINT NOT NULL, 
	why VARCHAR NOT NULL, 
	PRIMARY KEY (order_id)
)
 WITHOUT ROWID

;
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
CREATE TABLE "notification" (
	notification_id VARCHAR NOT NULL, 
	order_id VARCHAR NOT NULL, 
	template INTEGER NOT NULL, 
	customer_id VARCHAR NOT NULL, 
	recipient VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	body VARCHAR NOT NULL, 
	state INTEGER NOT NULL, 
	error VARCHAR NOT NULL, 
	create_time BIGINT NOT NULL, 
	send_time BIGINT, 
	return_id VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (notification_id), 
	CONSTRAINT notification_once UNIQUE (order_id, template, return_id)
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
INSERT INTO "schema_compatibility" VALUES('notification_0002','notification_0002');
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
CREATE INDEX notification_customer_id ON notification (customer_id, create_time, notification_id);
CREATE INDEX notification_create_time ON notification (create_time, notification_id);
CREATE INDEX notification_state ON notification (state, create_time, notification_id);
DELETE FROM "sqlite_sequence";
COMMIT;
