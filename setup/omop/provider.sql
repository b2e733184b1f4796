-- Providers: input_provider to out.provider and out.provider_key, and the care sites that only they name.
--
-- Which rows are taken
--  1. A row without a name, or with a title alone, is rejected: name_missing.
--  2. One whose id or specialty has more than 50 characters is rejected, cell_too_long: nothing is cut.
--  3. An NPI is ten digits that are not all the same (nobody has 0000000000 or 9999999999), and stays text. Without one, npi_missing, and
--     where it is something else, npi_malformed, the row is taken by its id. Without that too it is rejected: identity_missing.
--  4. With unknown_care_site=quarantine one that names a care site that nobody knows is rejected: care_site_unknown.
-- Whose they are
--  5. Rows of one NPI are one provider. An id (SourceID, or else ProviderID, which are not taken for each other) is that of the
--     provider it is known for in the lake, and else of the one whose NPI stands in the first row of this run that has the id. So a row without an NPI belongs to whom
--     its id belongs to; where nobody is known for it, to a provider without an NPI.
--  6. A provider without an NPI gets the one of the first row that has his id and an NPI that nobody has yet.
--  7. A row whose NPI and whose id belong to two is rejected, identity_conflict: which of them is meant cannot be known.
--  8. A provider keeps his provider_id for ever. New ones are numbered on from the highest, in the order of their first rows.
-- What becomes of several rows of one provider
--  9. The name without its titles (title_stripped), of the newest row whose name is not cut short (J. Doe, Jane S.). Only where all
--     are, the newest of these. What is in the lake is the oldest of them. provider_source_value is the id in that row.
-- 10. Specialty and care site are those of the newest row that has one, and else as in the lake.
-- 11. The concept is found in specialty_concepts.csv by Specialty, or else by SpecSource, without regard to capitals and blanks; 0
--     where it is not: specialty_unknown. specialty_source_value is SpecSource, or else Specialty.
-- 12. A care site is found by its name, as in care_site.sql. One that nobody knows is made of its name: care_site_created, told of
--     the first row that names it. care_site_source_value is the name as it came; more than 50 characters are cell_too_long.
--
-- A million rows are many, and memory is little: text is looked at closely only where it has to be, rows are grouped by numbers, and in
-- parts that fit.

CREATE MACRO is_npi(npi) AS regexp_full_match(npi, '[0-9]{10}') AND replace(npi, npi[1], '') <> '';

CREATE MACRO checked_choice(choice) AS
    CASE WHEN choice IN ('create', 'quarantine') THEN choice ELSE error('unknown_care_site is create or quarantine') END;
SET VARIABLE unknown_care_site = checked_choice(coalesce(getvariable('unknown_care_site'), 'create'));

-- ---- words that few rows have for themselves ----

CREATE TABLE specialty AS
WITH given AS (SELECT DISTINCT specialty, spec_source FROM input_provider),
concept AS (
    SELECT lower(tidy(source_value)) AS name, min(concept_id::BIGINT) AS concept_id
    FROM words_of('specialty_concepts.csv')
    GROUP BY ALL),
mapped AS (
    SELECT given.*, coalesce(tidy(spec_source), tidy(specialty)) AS source_value, coalesce(a.concept_id, b.concept_id) AS concept_id
    FROM given
    LEFT JOIN concept a ON a.name = lower(tidy(specialty))
    LEFT JOIN concept b ON b.name = lower(tidy(spec_source)))
SELECT CASE WHEN source_value IS NOT NULL THEN row_number() OVER ()::INTEGER END AS specialty_no,
       specialty, spec_source, source_value, concept_id,
       CASE WHEN length(source_value) > 50 THEN 2 ELSE 0 END
       | CASE WHEN source_value IS NOT NULL AND concept_id IS NULL THEN 256 ELSE 0 END AS found
FROM mapped;

CREATE TABLE given_site AS
SELECT site_name, tidy(site_name) AS name FROM (SELECT DISTINCT site_name FROM input_provider);

CREATE TABLE known_site AS
SELECT value, care_site_id FROM out.care_site_key WHERE kind = 'name'
UNION ALL
SELECT value, care_site_id FROM lake.care_site_key WHERE kind = 'name';

CREATE TABLE site AS
SELECT site_name, given.name AS source_value, spelled AS name, dense_rank() OVER (ORDER BY lower(spelled))::INTEGER AS site_no, care_site_id,
       CASE WHEN care_site_id IS NULL AND getvariable('unknown_care_site') = 'quarantine' THEN 8
            WHEN care_site_id IS NULL AND length(given.name) > 50 THEN 2 ELSE 0 END
       | CASE WHEN spelled <> given.name THEN 512 ELSE 0 END AS found
FROM given_site given
JOIN spelled_out('given_site') AS spelled USING (name)
LEFT JOIN known_site ON value = lower(spelled);

-- ---- each row: what it says, and what is wrong with it ----

-- A number in place of the word in each row.
CREATE TYPE system AS ENUM (
    SELECT '' UNION SELECT DISTINCT system FROM input_provider UNION SELECT DISTINCT system || ' number' FROM input_provider);

-- `found` are bits: 1 to 16 reject it (see `finding` at the end), 32 to 512 were repaired, 1024 says that the name is cut short.
CREATE TABLE provider_row AS
WITH cell AS (
    SELECT seq, system, trimmed(source_id) AS source_id, number, npi, is_npi(npi) AS npi_plain,
           name, is_plain(name) AS plain, specialty, spec_source, site_name
    FROM input_provider),
tidied AS (
    SELECT * REPLACE (CASE WHEN plain THEN name ELSE tidy(name) END AS name,
                      CASE WHEN npi_plain THEN npi ELSE trimmed(npi) END AS npi,
                      CASE WHEN source_id IS NULL THEN system || ' number' ELSE system END::system AS system),
           coalesce(source_id, trimmed(number)) AS id
    FROM cell),
bare AS (
    SELECT * REPLACE (CASE WHEN plain THEN name ELSE without_titles(name) END AS name),
           name AS titled,
           npi_plain OR is_npi(npi) AS has_npi
    FROM tidied)
SELECT seq,
       CASE WHEN has_npi THEN npi::BIGINT END AS npi,
       system,
       id,
       CASE WHEN id IS NOT NULL THEN hash(id, system) END AS id_hash,
       bare.name,
       specialty_no,
       site_no,
       (s.found | coalesce(site.found, 0)
        | CASE WHEN plain AND has_npi AND strlen(id) <= 50 THEN 0 ELSE
              CASE WHEN bare.name IS NULL THEN 1 ELSE 0 END
              | CASE WHEN length(id) > 50 THEN 2 ELSE 0 END
              | CASE WHEN id IS NULL AND has_npi IS NOT TRUE THEN 4 ELSE 0 END
              | CASE WHEN has_npi THEN 0 WHEN npi IS NULL THEN 32 ELSE 64 END
              | CASE WHEN bare.name <> titled THEN 128 ELSE 0 END
              | CASE WHEN is_short(bare.name) THEN 1024 ELSE 0 END END)::SMALLINT AS found
FROM bare
JOIN specialty s ON s.specialty IS NOT DISTINCT FROM bare.specialty AND s.spec_source IS NOT DISTINCT FROM bare.spec_source
LEFT JOIN site ON site.site_name = bare.site_name;

-- Rows are grouped in 1, 2, 4, 8 or 16 parts, so that one fits into little memory: those whose hash ends in the part's number.
SET VARIABLE rows_a_part = coalesce(getvariable('rows_a_part')::BIGINT,
    CASE WHEN current_setting('memory_limit') LIKE '%MiB'
         THEN greatest(20000, least(700000, ((regexp_extract(current_setting('memory_limit'), '[0-9.]+')::DOUBLE - 22) * 5100)::BIGINT))
         ELSE 700000 END);
SET VARIABLE last_part = (SELECT (least(16, 2 ** ceil(log2(1 + count(*) // getvariable('rows_a_part')))) - 1)::UBIGINT FROM provider_row);

-- ---- what the lake knows of them ----

CREATE TABLE known_id AS
SELECT DISTINCT r.system, r.id, r.id_hash, k.provider_id
FROM lake.provider_key k
JOIN provider_row r ON k.kind = 'id:' || r.system AND k.value = r.id
WHERE r.found & 15 = 0;

CREATE TABLE known_npi AS
SELECT DISTINCT r.npi, l.provider_id
FROM (SELECT provider_id, npi::BIGINT AS npi FROM lake.provider WHERE npi IS NOT NULL) l
JOIN provider_row r USING (npi)
WHERE r.found & 15 = 0;

CREATE TABLE known_provider AS
SELECT l.*
FROM lake.provider l
JOIN (SELECT provider_id FROM known_id UNION SELECT provider_id FROM known_npi) USING (provider_id);

-- Rule 6, where both find each other first.
INSERT INTO known_npi
SELECT npi, provider_id
FROM (SELECT r.npi, i.provider_id, r.seq,
             row_number() OVER (PARTITION BY i.provider_id ORDER BY r.seq) AS of_provider,
             row_number() OVER (PARTITION BY r.npi ORDER BY r.seq) AS of_npi
      FROM known_id i
      JOIN known_provider p ON p.provider_id = i.provider_id AND p.npi IS NULL
      JOIN provider_row r ON r.id_hash = i.id_hash AND r.id = i.id AND r.system = i.system
      WHERE r.found & 15 = 0 AND r.npi IS NOT NULL AND r.npi NOT IN (SELECT npi FROM known_npi))
WHERE of_provider = 1 AND of_npi = 1;

-- ---- whose they are ----

-- A person is a number: the provider_id, negative, of one whom the lake knows; else the NPI; else, above all NPIs, the first row.

-- Ids that say more than the NPIs beside them do, or something else: those of the lake, and those that have rows without an NPI, or with two of
-- them. All others need not be looked at. Two ids of one hash, should it ever happen, are told apart behind it.
CREATE MACRO doubtful(part) AS TABLE
SELECT id_hash
FROM provider_row
WHERE found & 15 = 0 AND id_hash IS NOT NULL AND part <= getvariable('last_part') AND id_hash & getvariable('last_part') = part::UBIGINT
GROUP BY id_hash
HAVING min(npi) <> max(npi) OR count(*) > count(npi);

CREATE TABLE doubtful_hash AS FROM doubtful(0);
INSERT INTO doubtful_hash FROM doubtful(1);
INSERT INTO doubtful_hash FROM doubtful(2);
INSERT INTO doubtful_hash FROM doubtful(3);
INSERT INTO doubtful_hash FROM doubtful(4);
INSERT INTO doubtful_hash FROM doubtful(5);
INSERT INTO doubtful_hash FROM doubtful(6);
INSERT INTO doubtful_hash FROM doubtful(7);
INSERT INTO doubtful_hash FROM doubtful(8);
INSERT INTO doubtful_hash FROM doubtful(9);
INSERT INTO doubtful_hash FROM doubtful(10);
INSERT INTO doubtful_hash FROM doubtful(11);
INSERT INTO doubtful_hash FROM doubtful(12);
INSERT INTO doubtful_hash FROM doubtful(13);
INSERT INTO doubtful_hash FROM doubtful(14);
INSERT INTO doubtful_hash FROM doubtful(15);

CREATE TABLE doubtful_id AS
WITH looked_at AS (
    SELECT system, id, id_hash, min(seq) AS seq, arg_min(npi, seq) AS npi
    FROM provider_row SEMI JOIN (FROM doubtful_hash UNION SELECT id_hash FROM known_id) USING (id_hash)
    WHERE found & 15 = 0
    GROUP BY system, id, id_hash)
SELECT l.system, l.id, l.id_hash, coalesce(-i.provider_id, -n.provider_id, l.npi, 10000000000 + l.seq) AS person
FROM looked_at l
LEFT JOIN known_id i ON i.id_hash = l.id_hash AND i.id = l.id AND i.system = l.system
LEFT JOIN known_npi n ON n.npi = l.npi;

-- The rows whose person is another than their NPI says. Of those that belong to two it is NULL (rule 7).
CREATE TABLE looked_up AS
SELECT r.seq,
       CASE WHEN coalesce(-n.provider_id, r.npi) <> d.person THEN NULL ELSE coalesce(-n.provider_id, d.person) END AS person
FROM provider_row r
LEFT JOIN doubtful_id d ON d.id_hash = r.id_hash AND d.id = r.id AND d.system = r.system
LEFT JOIN known_npi n ON n.npi = r.npi
WHERE r.found & 15 = 0 AND (d.person IS NOT NULL OR n.provider_id IS NOT NULL);

CREATE VIEW taken_row AS
SELECT r.*, CASE WHEN l.seq IS NULL THEN r.npi ELSE l.person END AS person
FROM provider_row r
LEFT JOIN looked_up l USING (seq)
WHERE r.found & 15 = 0 AND CASE WHEN l.seq IS NULL THEN r.npi ELSE l.person END IS NOT NULL;

-- ---- one for each ----

-- name_row: the row that the name is taken from; above all rows where it is not cut short.
CREATE MACRO persons(part) AS TABLE
SELECT person,
       min(seq) AS seq,
       max(CASE WHEN found & 1024 = 0 THEN seq + 4611686018427387904 ELSE seq END) AS name_row,
       arg_max(specialty_no, seq) AS specialty_no,
       arg_max(site_no, seq) AS site_no,
       coalesce(person >= 0 AND count(id_hash) = count(*) AND min(id_hash) = max(id_hash), false) AS one_id
FROM taken_row
WHERE part <= getvariable('last_part') AND hash(person) & getvariable('last_part') = part::UBIGINT
GROUP BY person;

CREATE TABLE person AS FROM persons(0);
INSERT INTO person FROM persons(1);
INSERT INTO person FROM persons(2);
INSERT INTO person FROM persons(3);
INSERT INTO person FROM persons(4);
INSERT INTO person FROM persons(5);
INSERT INTO person FROM persons(6);
INSERT INTO person FROM persons(7);
INSERT INTO person FROM persons(8);
INSERT INTO person FROM persons(9);
INSERT INTO person FROM persons(10);
INSERT INTO person FROM persons(11);
INSERT INTO person FROM persons(12);
INSERT INTO person FROM persons(13);
INSERT INTO person FROM persons(14);
INSERT INTO person FROM persons(15);

-- nth is the order of their ids.
SET VARIABLE n_known = (SELECT count(*) FROM person WHERE person < 0);
SET VARIABLE last_id = (SELECT coalesce(max(provider_id), 0) FROM lake.provider);

CREATE TABLE numbered AS
SELECT nth, CASE WHEN person < 0 THEN -person ELSE getvariable('last_id') - getvariable('n_known') + nth END AS provider_id,
       person, seq, name_row, specialty_no, site_no, one_id
FROM (SELECT row_number() OVER () AS nth, *
      FROM (FROM person ORDER BY CASE WHEN person < 0 THEN -person ELSE seq + 4611686018427387904 END));

-- ---- care sites that only they name ----

CREATE TABLE new_site AS
SELECT site_no, seq, row_number() OVER (ORDER BY seq)
       + greatest(coalesce((SELECT max(care_site_id) FROM lake.care_site), 0), coalesce((SELECT max(care_site_id) FROM out.care_site), 0)) AS care_site_id
FROM (SELECT site_no, min(seq) AS seq
      FROM provider_row
      WHERE found & 15 = 0 AND site_no IN (SELECT site_no FROM site WHERE care_site_id IS NULL) AND seq NOT IN (SELECT seq FROM looked_up WHERE person IS NULL)
      GROUP BY site_no);

INSERT INTO out.care_site
SELECT n.care_site_id, s.name, 0, NULL, s.source_value, NULL
FROM new_site n
JOIN input_provider i USING (seq)
JOIN site s ON s.site_name = i.site_name
ORDER BY n.care_site_id;

INSERT INTO out.care_site_key
SELECT 'name', min(lower(s.name)), n.care_site_id
FROM new_site n JOIN site s USING (site_no)
GROUP BY n.care_site_id
ORDER BY n.care_site_id;

CREATE TABLE site_id AS
SELECT site_no, coalesce(min(s.care_site_id), min(n.care_site_id)) AS care_site_id
FROM site s LEFT JOIN new_site n USING (site_no)
GROUP BY site_no;

-- ---- what comes of it ----

-- In their order, so many at a time that they are sorted without a file.
CREATE MACRO made(part) AS TABLE
SELECT p.provider_id,
       CASE WHEN l.full_name AND p.name_row < 4611686018427387904 THEN l.provider_name ELSE r.name END,
       CASE WHEN p.person BETWEEN 0 AND 9999999999 THEN lpad(p.person::VARCHAR, 10, '0') ELSE coalesce(l.npi, lpad(n.npi::VARCHAR, 10, '0')) END,
       0,
       CASE WHEN p.specialty_no IS NULL THEN coalesce(l.specialty_concept_id, 0) ELSE coalesce(s.concept_id, 0) END,
       coalesce(c.care_site_id, l.care_site_id),
       CASE WHEN l.full_name AND p.name_row < 4611686018427387904 THEN l.provider_source_value ELSE coalesce(r.id, l.provider_source_value) END,
       CASE WHEN p.specialty_no IS NULL THEN l.specialty_source_value ELSE s.source_value END
FROM numbered p
JOIN provider_row r ON r.seq = p.name_row & 4611686018427387903
LEFT JOIN specialty s ON s.specialty_no = p.specialty_no
LEFT JOIN site_id c ON c.site_no = p.site_no
LEFT JOIN (SELECT *, is_short(provider_name) IS FALSE AS full_name FROM known_provider) l ON l.provider_id = -p.person
LEFT JOIN known_npi n ON n.provider_id = -p.person
WHERE p.nth > part * getvariable('rows_a_part') AND (p.nth <= (part + 1) * getvariable('rows_a_part') OR part = 15)
ORDER BY p.provider_id;

INSERT INTO out.provider FROM made(0);
INSERT INTO out.provider FROM made(1);
INSERT INTO out.provider FROM made(2);
INSERT INTO out.provider FROM made(3);
INSERT INTO out.provider FROM made(4);
INSERT INTO out.provider FROM made(5);
INSERT INTO out.provider FROM made(6);
INSERT INTO out.provider FROM made(7);
INSERT INTO out.provider FROM made(8);
INSERT INTO out.provider FROM made(9);
INSERT INTO out.provider FROM made(10);
INSERT INTO out.provider FROM made(11);
INSERT INTO out.provider FROM made(12);
INSERT INTO out.provider FROM made(13);
INSERT INTO out.provider FROM made(14);
INSERT INTO out.provider FROM made(15);

-- Those with one id have it in their first row; the others' are looked up.
CREATE MACRO only_keys(part) AS TABLE
SELECT 'id:' || r.system, r.id, p.provider_id
FROM numbered p JOIN provider_row r USING (seq)
WHERE p.one_id AND p.nth > part * getvariable('rows_a_part') AND (p.nth <= (part + 1) * getvariable('rows_a_part') OR part = 15)
ORDER BY p.provider_id;

INSERT INTO out.provider_key FROM only_keys(0);
INSERT INTO out.provider_key FROM only_keys(1);
INSERT INTO out.provider_key FROM only_keys(2);
INSERT INTO out.provider_key FROM only_keys(3);
INSERT INTO out.provider_key FROM only_keys(4);
INSERT INTO out.provider_key FROM only_keys(5);
INSERT INTO out.provider_key FROM only_keys(6);
INSERT INTO out.provider_key FROM only_keys(7);
INSERT INTO out.provider_key FROM only_keys(8);
INSERT INTO out.provider_key FROM only_keys(9);
INSERT INTO out.provider_key FROM only_keys(10);
INSERT INTO out.provider_key FROM only_keys(11);
INSERT INTO out.provider_key FROM only_keys(12);
INSERT INTO out.provider_key FROM only_keys(13);
INSERT INTO out.provider_key FROM only_keys(14);
INSERT INTO out.provider_key FROM only_keys(15);

INSERT INTO out.provider_key
SELECT DISTINCT 'id:' || r.system, r.id, p.provider_id
FROM numbered p
JOIN taken_row r USING (person)
WHERE NOT p.one_id AND r.id IS NOT NULL
  AND NOT EXISTS (FROM known_id k WHERE k.id_hash = r.id_hash AND k.id = r.id AND k.system = r.system)
ORDER BY ALL;

-- ---- what was found ----

CREATE TABLE finding AS
FROM (VALUES (1, 'name_missing', 'name: nothing is there, or only a title'),
             (2, 'cell_too_long', 'source_id, number, spec_source, specialty or site_name: 50 characters at most'),
             (4, 'identity_missing', 'npi, source_id, number: none of them is there'),
             (8, 'care_site_unknown', 'site_name: no care site has it, and none is to be made'),
             (16, 'identity_conflict', 'npi, source_id: they belong to two providers'),
             (32, 'npi_missing', 'npi: nothing is there'),
             (64, 'npi_malformed', 'npi: not ten digits, none is stored'),
             (128, 'title_stripped', 'name: stored without its title'),
             (256, 'specialty_unknown', 'specialty, spec_source: not in specialty_concepts.csv, the concept is 0'),
             (512, 'abbreviation_expanded', 'site_name: spelled out by abbreviations.csv'),
             (2048, 'care_site_created', 'site_name: a care site is made of it')) f (bit, reason, detail);

-- Of a row that was rejected, why, and nothing else: the first of what was found.
INSERT INTO found_provider
SELECT seq, CASE WHEN found & 31 <> 0 THEN found & 31 & -(found & 31) ELSE found END
FROM (SELECT seq, sum(found)::INTEGER AS found
      FROM (SELECT seq, (found & 1023)::INTEGER AS found FROM provider_row WHERE found & 1023 <> 0
            UNION ALL SELECT seq, 16 FROM looked_up WHERE person IS NULL
            UNION ALL SELECT seq, 2048 FROM new_site)
      GROUP BY seq);

INSERT INTO out.quarantine (target, reason, kind, detail, source, object, version, line, raw)
SELECT 'provider', f.reason, r.kind, f.detail, i.source, i.object, i.version, i.line, i.raw
FROM raw_provider i
JOIN finding f ON i.found & f.bit <> 0
LEFT JOIN reason r ON r.code = f.reason
ORDER BY i.seq, f.bit;
