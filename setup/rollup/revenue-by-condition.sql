-- The revenue of patients with a condition, per window: a `rollup` job of ingestd (see docs/rollup.md).
--
-- For each window [start, end) and condition: the claims of that time by patients who have that diagnosis, whenever it
-- came. A patient with several such diagnoses counts once, a claim once; without revenue there is a row of zeros.
-- revenue_to_date is that of all their claims before the window's end, also of those in no window.
--
-- What arrived since the last run is told by triggers on claim and diagnose, which note the times and the patients that
-- a statement touched. A run takes the notes in the transaction that writes their effect; notes of a transaction that
-- commits later wait for the next run. So nothing is missed and nothing is looked through again.
--
-- Ours, beside the table:
--   {schema}.{name}_condition   which conditions there are
--   {schema}.{name}_patient     who has which
--   {schema}.{name}_claimed     notes: from when to when (clock of claim.tsp) claims came, changed or went
--   {schema}.{name}_diagnosed   notes: whose diagnosis came or went
-- To be rid of it all: DROP FUNCTION {schema}.{name}_note_claims, {schema}.{name}_note_diagnoses CASCADE, then the tables.

-- name: ready
-- The tables are there, every trigger stands and fires, the columns are what we think, and it was this very file (and
-- time zone) that prepared it. Otherwise arrivals may have been missed, and prepare has everything computed again.
SELECT to_regclass('{table}') IS NOT NULL
   AND to_regclass('{schema}.{name}_patient') IS NOT NULL
   AND to_regclass('{schema}.{name}_claimed') IS NOT NULL
   AND to_regclass('{schema}.{name}_diagnosed') IS NOT NULL
   AND obj_description(to_regclass('{schema}.{name}_condition'), 'pg_class') IS NOT DISTINCT FROM {version}
   AND 8 = (SELECT count(*) FROM pg_trigger
            WHERE tgrelid IN (to_regclass('public.claim'), to_regclass('public.diagnose')) AND tgenabled IN ('O', 'A')
              AND tgfoid IN (to_regproc('{schema}.{name}_note_claims'), to_regproc('{schema}.{name}_note_diagnoses')))
   AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('public.claim') AND attname = 'tsp'
               AND atttypid = 'timestamp'::regtype);

-- name: prepare
DO $$
DECLARE
    of_table text := split_part(obj_description(to_regclass('{schema}.{name}_condition'), 'pg_class'), ' ', 1);
    tsp text := (SELECT format_type(atttypid, NULL) FROM pg_attribute
                 WHERE attrelid = to_regclass('public.claim') AND attname = 'tsp');
BEGIN
    IF of_table <> split_part({version}, ' ', 1) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_table', MESSAGE = format(
            'the rollup of %s has its notes under this name already: give this table another', of_table);
    ELSIF to_regclass('public.claim') IS NULL OR to_regclass('public.diagnose') IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table', MESSAGE = 'there is no public.claim or no public.diagnose';
    ELSIF tsp IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column', MESSAGE = 'public.claim has no column tsp';
    ELSIF tsp <> 'timestamp without time zone' THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
            MESSAGE = format('public.claim.tsp is %s, not timestamp without time zone', tsp);
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS {table} (
    window_start    timestamptz,
    window_end      timestamptz NOT NULL,
    condition       text,
    icd10_code      text        NOT NULL,
    revenue         numeric     NOT NULL,
    claims          bigint      NOT NULL,
    patients        bigint      NOT NULL,
    revenue_to_date numeric     NOT NULL,
    computed_at     timestamptz NOT NULL,
    PRIMARY KEY (window_start, condition)
);
CREATE INDEX IF NOT EXISTS {name}_window_end ON {table} (window_end);

CREATE TABLE IF NOT EXISTS {schema}.{name}_condition (condition text PRIMARY KEY, icd10_code text NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.{name}_patient (condition text, patient_id bigint, PRIMARY KEY (condition, patient_id));
CREATE TABLE IF NOT EXISTS {schema}.{name}_claimed (first timestamp NOT NULL, last timestamp NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.{name}_diagnosed (patient_id bigint, icd10_code text, gone boolean NOT NULL);

-- The conditions. Add yours here: each has one name and one code, and no name stands twice.
DELETE FROM {schema}.{name}_condition;
INSERT INTO {schema}.{name}_condition (condition, icd10_code) VALUES
    ('Amnesia', 'R41.3'),
    ('Asthma',  'J44.9');
-- What is no condition any more would not be kept right.
DELETE FROM {table} WHERE condition NOT IN (SELECT condition FROM {schema}.{name}_condition);

-- The notes. Written as the tables' owner (SECURITY DEFINER), so that whoever may write claims still can; append-only and
-- without any unique index, so that writers never wait for each other here. A changed table must not keep its writers
-- from writing: then "something, at any time" is noted, and the run says what is wrong.
CREATE OR REPLACE FUNCTION {schema}.{name}_note_claims() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('{schema}.{name}_claimed') IS NULL THEN
        RETURN NULL;
    ELSIF TG_OP = 'TRUNCATE' OR NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = TG_RELID AND attname = 'tsp'
                                            AND atttypid = 'timestamp'::regtype) THEN
        INSERT INTO {schema}.{name}_claimed VALUES ('-infinity', 'infinity');
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO {schema}.{name}_claimed
        SELECT min(tsp), max(tsp) FROM new_rows GROUP BY date_trunc('minute', tsp);
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO {schema}.{name}_claimed
        SELECT min(tsp), max(tsp) FROM old_rows GROUP BY date_trunc('minute', tsp);
    ELSE
        INSERT INTO {schema}.{name}_claimed
        SELECT min(tsp), max(tsp) FROM (SELECT tsp FROM old_rows UNION ALL SELECT tsp FROM new_rows) AS r
        GROUP BY date_trunc('minute', tsp);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION {schema}.{name}_note_diagnoses() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('{schema}.{name}_diagnosed') IS NULL OR to_regclass('{schema}.{name}_condition') IS NULL THEN
        RETURN NULL;
    ELSIF TG_OP = 'TRUNCATE' OR 2 <> (
            SELECT count(*) FROM pg_attribute
            WHERE attrelid = TG_RELID AND (attname = 'patient_id' AND atttypid IN ('int'::regtype, 'bigint'::regtype)
                OR attname = 'icd10_code' AND atttypid IN ('varchar'::regtype, 'text'::regtype))) THEN
        INSERT INTO {schema}.{name}_diagnosed VALUES (NULL, NULL, true);
        RETURN NULL;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        INSERT INTO {schema}.{name}_diagnosed
        SELECT DISTINCT patient_id, icd10_code, false FROM new_rows
        WHERE icd10_code IN (SELECT icd10_code FROM {schema}.{name}_condition);
    END IF;
    IF TG_OP IN ('DELETE', 'UPDATE') THEN
        INSERT INTO {schema}.{name}_diagnosed
        SELECT DISTINCT patient_id, icd10_code, true FROM old_rows
        WHERE icd10_code IN (SELECT icd10_code FROM {schema}.{name}_condition);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER {name}_insert AFTER INSERT ON public.claim
    REFERENCING NEW TABLE AS new_rows EXECUTE FUNCTION {schema}.{name}_note_claims();
CREATE OR REPLACE TRIGGER {name}_update AFTER UPDATE ON public.claim
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows EXECUTE FUNCTION {schema}.{name}_note_claims();
CREATE OR REPLACE TRIGGER {name}_delete AFTER DELETE ON public.claim
    REFERENCING OLD TABLE AS old_rows EXECUTE FUNCTION {schema}.{name}_note_claims();
CREATE OR REPLACE TRIGGER {name}_truncate AFTER TRUNCATE ON public.claim
    EXECUTE FUNCTION {schema}.{name}_note_claims();
CREATE OR REPLACE TRIGGER {name}_insert AFTER INSERT ON public.diagnose
    REFERENCING NEW TABLE AS new_rows EXECUTE FUNCTION {schema}.{name}_note_diagnoses();
CREATE OR REPLACE TRIGGER {name}_update AFTER UPDATE ON public.diagnose
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows EXECUTE FUNCTION {schema}.{name}_note_diagnoses();
CREATE OR REPLACE TRIGGER {name}_delete AFTER DELETE ON public.diagnose
    REFERENCING OLD TABLE AS old_rows EXECUTE FUNCTION {schema}.{name}_note_diagnoses();
CREATE OR REPLACE TRIGGER {name}_truncate AFTER TRUNCATE ON public.diagnose
    EXECUTE FUNCTION {schema}.{name}_note_diagnoses();

-- Nobody noted what came before the triggers stood (creating them has waited for every writer): the first run looks at
-- everything there is. It does so in its own time, so that writers are locked out only while the triggers are made.
INSERT INTO {schema}.{name}_diagnosed VALUES (NULL, NULL, true);
COMMENT ON TABLE {schema}.{name}_condition IS {version};

-- name: settings
-- How many windows, slots and notes there are the planner cannot know. A nested loop over what it takes for few would go on
-- for hours; compiling what it takes for many would take longer than running it.
SET LOCAL enable_nestloop = off;
SET LOCAL jit = off;
SET LOCAL work_mem = '32MB';

-- name: touched
-- Takes the notes, brings {schema}.{name}_patient up to date, and says which windows of the table are not right any more.
WITH claimed AS (
    DELETE FROM {schema}.{name}_claimed RETURNING first, last
), diagnosed AS (
    DELETE FROM {schema}.{name}_diagnosed RETURNING patient_id, icd10_code, gone
), doubt AS MATERIALIZED (
    -- A diagnosis that only came makes its patient a member, without a look at the table.
    SELECT coalesce(bool_or(patient_id IS NULL), false) AS everybody, coalesce(bool_or(gone), false) AS somebody
    FROM diagnosed
), asked AS (
    SELECT c.condition, d.patient_id, bool_or(d.gone) AS gone
    FROM diagnosed AS d JOIN {schema}.{name}_condition AS c USING (icd10_code)
    WHERE d.patient_id IS NOT NULL
    GROUP BY 1, 2
    UNION
    SELECT condition, patient_id, true FROM {schema}.{name}_patient WHERE (SELECT everybody FROM doubt)
), found AS (
    SELECT DISTINCT c.condition, d.patient_id::bigint AS patient_id
    FROM public.diagnose AS d JOIN {schema}.{name}_condition AS c USING (icd10_code)
    WHERE (SELECT everybody OR somebody FROM doubt)
      AND ((SELECT everybody FROM doubt) OR d.patient_id IN (SELECT patient_id FROM asked WHERE gone))
), members AS MATERIALIZED (
    SELECT condition, patient_id FROM asked WHERE NOT gone AND NOT (SELECT everybody FROM doubt)
    UNION
    SELECT condition, patient_id FROM found
), came AS (
    INSERT INTO {schema}.{name}_patient (condition, patient_id)
    SELECT condition, patient_id FROM members
    ON CONFLICT DO NOTHING
    RETURNING patient_id
), went AS (
    DELETE FROM {schema}.{name}_patient AS p USING asked AS a
    WHERE (SELECT everybody OR somebody FROM doubt) AND a.gone AND p.condition = a.condition AND p.patient_id = a.patient_id
      AND NOT EXISTS (SELECT FROM members AS m WHERE m.condition = p.condition AND m.patient_id = p.patient_id)
    RETURNING p.patient_id
), moved AS MATERIALIZED (
    SELECT patient_id FROM came UNION SELECT patient_id FROM went
), spans AS (
    SELECT min(first) AS first, max(last) AS last FROM claimed GROUP BY date_trunc('minute', first)
    UNION ALL
    SELECT '-infinity', 'infinity' FROM doubt WHERE everybody
    UNION ALL
    -- The claims of those who came and went, whenever they were made.
    SELECT min(tsp), max(tsp) FROM public.claim
    WHERE (SELECT NOT everybody FROM doubt) AND EXISTS (SELECT FROM moved) AND EXISTS (SELECT FROM {table})
      AND patient_id IN (SELECT patient_id FROM moved)
    GROUP BY date_trunc('minute', tsp)
), touched AS MATERIALIZED (
    -- Within a minute a zone's clock goes evenly; a span from one minute's note never goes past it, or is everything.
    SELECT min(first AT TIME ZONE $1) AS first,
           range_agg(tstzrange(first AT TIME ZONE $1, last AT TIME ZONE $1, '[]')) AS spans
    FROM spans
), windows AS (
    -- What is between two windows' ends counts in revenue_to_date, so a window answers from the end before it.
    SELECT window_start, window_end,
           max(window_end) OVER (ORDER BY window_end GROUPS BETWEEN 1 PRECEDING AND 1 PRECEDING) AS previous_end
    FROM {table} WHERE window_end > (SELECT first FROM touched)
)
SELECT DISTINCT window_start, window_end FROM windows
WHERE tstzrange(least(window_start, coalesce(previous_end, '-infinity')), window_end) && (SELECT spans FROM touched);

-- name: compute
WITH asked AS MATERIALIZED (
    SELECT window_start, window_end FROM unnest($1::timestamptz[], $2::timestamptz[]) AS u (window_start, window_end)
), conditions AS MATERIALIZED (
    SELECT condition, icd10_code FROM {schema}.{name}_condition
), from_end AS MATERIALIZED (
    -- The first end at which a total may change.
    SELECT min(window_end) AS window_end FROM (
        SELECT window_end FROM asked UNION ALL SELECT t.window_end FROM {table} AS t JOIN asked USING (window_start)) AS e
), base AS MATERIALIZED (
    -- What stands before it.
    SELECT c.condition, b.window_end, b.revenue_to_date
    FROM conditions AS c CROSS JOIN LATERAL (
        SELECT window_end, revenue_to_date FROM {table} AS t
        WHERE t.condition = c.condition AND t.window_end < (SELECT window_end FROM from_end)
        ORDER BY t.window_end DESC LIMIT 1) AS b
), old AS MATERIALIZED (
    SELECT * FROM {table} WHERE window_end >= (SELECT window_end FROM from_end)
), ends AS MATERIALIZED (
    -- Every end from there on. The revenue since the end before it is counted anew where `anew` is true; where it is not,
    -- it is still what the two rows differ by.
    SELECT condition, window_end, bool_or(anew) AS anew, max(total) AS old_total,
           lag(window_end) OVER (PARTITION BY condition ORDER BY window_end) AS previous_end
    FROM (
        SELECT c.condition, a.window_end, true AS anew, NULL::numeric AS total FROM conditions AS c CROSS JOIN asked AS a
        UNION ALL
        SELECT o.condition, o.window_end, a.window_start IS NOT NULL OR o.revenue_to_date IN ('NaN', 'Infinity', '-Infinity'),
               o.revenue_to_date
        FROM old AS o LEFT JOIN asked AS a USING (window_start)
    ) AS e
    GROUP BY condition, window_end
), parts AS MATERIALIZED (
    SELECT e.condition, e.window_end, e.anew, e.old_total,
           coalesce(e.previous_end, b.window_end, '-infinity') AS part_start
    FROM ends AS e LEFT JOIN base AS b USING (condition)
), bounds AS MATERIALIZED (
    -- All bounds in order: claims are sorted into the slots between them, in one pass over the table.
    SELECT array_agg(at ORDER BY at) AS bounds FROM (
        SELECT window_start AS at FROM asked UNION SELECT window_end FROM asked
        UNION SELECT part_start FROM parts WHERE anew UNION SELECT window_end FROM parts WHERE anew) AS b
), wanted AS MATERIALIZED (
    -- Which slots each window and each part is made of; most are of one. Expanded here, so that it is joined by equality.
    SELECT r.*, n.slot
    FROM (
        SELECT NULL AS part_of, window_start, window_end, width_bucket(window_start, b.bounds) AS first_slot,
               width_bucket(window_end, b.bounds) - 1 AS last_slot
        FROM asked CROSS JOIN bounds AS b
        UNION ALL
        SELECT condition, NULL, window_end, width_bucket(part_start, b.bounds), width_bucket(window_end, b.bounds) - 1
        FROM parts CROSS JOIN bounds AS b WHERE anew
    ) AS r CROSS JOIN LATERAL generate_series(r.first_slot, r.last_slot) AS n (slot)
), around AS (
    SELECT unnest(ARRAY[interval '-26 hours', '0', '26 hours']) AS d
), span AS MATERIALIZED (
    -- Which slots are asked for, and from when to when that is on the clock of claim.tsp: on any that was in force around
    -- that time, so that no claim is lost where clocks are changed. The slots themselves are told by the instant: in the
    -- doubled hour of autumn a claim is in exactly one.
    SELECT bounds,
           (SELECT array_agg(w.slot IS NOT NULL ORDER BY i) FROM generate_series(1, cardinality(bounds)) AS i
            LEFT JOIN (SELECT DISTINCT slot FROM wanted) AS w ON w.slot = i) AS is_wanted,
           (SELECT min((bounds[1] + d) AT TIME ZONE $3 - d) FROM around) AS first,
           (SELECT max((bounds[cardinality(bounds)] + d) AT TIME ZONE $3 - d) FROM around) AS last
    FROM bounds
), sorted AS NOT MATERIALIZED (
    SELECT c.slot, p.condition, c.patient_id, c.price
    FROM (SELECT patient_id, price, width_bucket(tsp AT TIME ZONE $3, (SELECT bounds FROM span)) AS slot
          FROM public.claim
          WHERE tsp >= (SELECT first FROM span) AND tsp < (SELECT last FROM span) OFFSET 0) AS c
    JOIN {schema}.{name}_patient AS p USING (patient_id)
    WHERE ((SELECT is_wanted FROM span))[c.slot]
), slot_sums AS MATERIALIZED (
    SELECT slot, condition, sum(price) AS revenue, count(*) AS claims, count(DISTINCT patient_id) AS patients
    FROM sorted GROUP BY 1, 2
), figures AS (
    SELECT w.window_start, s.condition, s.revenue, s.claims, s.patients
    FROM wanted AS w JOIN slot_sums AS s USING (slot)
    WHERE w.part_of IS NULL AND w.first_slot = w.last_slot
    UNION ALL
    -- A window that overlaps others is of several slots, and a patient may be in each of them. Where there is such a one
    -- the table is read once more.
    SELECT w.window_start, s.condition, sum(s.price), count(*), count(DISTINCT s.patient_id)
    FROM wanted AS w JOIN sorted AS s USING (slot)
    WHERE w.part_of IS NULL AND w.first_slot < w.last_slot
      AND EXISTS (SELECT FROM wanted WHERE part_of IS NULL AND first_slot < last_slot)
    GROUP BY 1, 2
), sums AS (
    SELECT s.condition, w.window_end, sum(s.revenue) AS revenue
    FROM wanted AS w JOIN slot_sums AS s ON s.slot = w.slot AND s.condition = w.part_of
    GROUP BY 1, 2
), steps AS (
    -- By how much each end's total is above the one before it.
    SELECT p.condition, p.window_end, p.old_total, p.anew, coalesce(s.revenue, 0) AS counted,
           count(p.old_total) OVER (PARTITION BY p.condition ORDER BY p.window_end DESC) AS known
    FROM parts AS p LEFT JOIN sums AS s USING (condition, window_end)
), known AS (
    -- A part that is not counted is known by the difference of the old totals, less what new ends have taken out of it.
    SELECT k.*, lag(old_total) OVER w AS previous_total
    FROM (SELECT condition, known, max(old_total) AS old_total, sum(counted) AS counted
          FROM steps GROUP BY 1, 2) AS k
    WHERE known > 0
    WINDOW w AS (PARTITION BY condition ORDER BY known DESC)
), totals AS MATERIALIZED (
    SELECT s.condition, s.window_end,
           coalesce(b.revenue_to_date, 0) + sum(CASE WHEN s.anew THEN s.counted
               ELSE s.old_total - coalesce(k.previous_total, b.revenue_to_date, 0) - k.counted END)
               OVER (PARTITION BY s.condition ORDER BY s.window_end) AS total
    FROM steps AS s LEFT JOIN known AS k USING (condition, known) LEFT JOIN base AS b USING (condition)
), fresh AS MATERIALIZED (
    SELECT a.window_start, a.window_end, c.condition, c.icd10_code, coalesce(f.revenue, 0) AS revenue,
           coalesce(f.claims, 0) AS claims, coalesce(f.patients, 0) AS patients, t.total AS revenue_to_date
    FROM asked AS a CROSS JOIN conditions AS c
    JOIN totals AS t USING (condition, window_end)
    LEFT JOIN figures AS f USING (window_start, condition)
), written AS (
    INSERT INTO {table} AS t (window_start, window_end, condition, icd10_code, revenue, claims, patients, revenue_to_date,
                              computed_at)
    SELECT f.*, now() FROM fresh AS f LEFT JOIN old AS o USING (window_start, condition)
    WHERE (o.window_end, o.icd10_code, o.revenue, o.claims, o.patients, o.revenue_to_date)
        IS DISTINCT FROM (f.window_end, f.icd10_code, f.revenue, f.claims, f.patients, f.revenue_to_date)
    ORDER BY f.window_start, f.condition
    ON CONFLICT (window_start, condition) DO UPDATE SET
        window_end = excluded.window_end, icd10_code = excluded.icd10_code, revenue = excluded.revenue,
        claims = excluded.claims, patients = excluded.patients, revenue_to_date = excluded.revenue_to_date,
        computed_at = excluded.computed_at
    RETURNING 1
), shifted AS (
    -- Windows that hold nothing new still have what came before them.
    UPDATE {table} AS t SET revenue_to_date = n.total, computed_at = now()
    FROM totals AS n
    WHERE t.condition = n.condition AND t.window_end = n.window_end AND t.revenue_to_date <> n.total
      AND t.window_end >= (SELECT window_end FROM from_end)
      AND NOT EXISTS (SELECT FROM asked AS a WHERE a.window_start = t.window_start)
    RETURNING 1
)
SELECT (SELECT count(*) FROM fresh) AS rows, (SELECT count(*) FROM written) + (SELECT count(*) FROM shifted) AS changed;
