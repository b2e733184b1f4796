-- Care sites that the partner lists: input_care_site to out.care_site and out.care_site_key. (Those that are only named by a provider's
-- row are made in provider.sql.)
--
-- 1. A row without a name is rejected: name_missing. So is one whose id or place of service has more than 50 characters: cell_too_long.
-- 2. A name is compared without regard to capitals and blanks, its abbreviations (abbreviations.csv) spelled out:
--    abbreviation_expanded. Inst. is Inst.
-- 3. A row is of the care site that its id is known for. An id that is not known yet is of the care site that has the row's
--    name and no id so far (it was made of its name), and else of a new one. A row without an id is of the care site that has its name.
-- 4. A name belongs to the care site that had it first. A row whose name belongs to another care site than its id is
--    rejected, identity_conflict: a provider's row that gives this name could not say which is meant. Give one of them another name.
-- 5. Of several rows of a care site each column is the newest value that is there. A name that was once its own stays a way to
--    find it.
-- 6. place_of_service_concept_id is found in place_concepts.csv, and 0 where it is not: place_unknown. location_id is a whole
--    number, or NULL: location_malformed. care_site_source_value is the partner's id, or else the name as it came.

CREATE TABLE abbreviation AS
SELECT lower(short) AS short, long
FROM words_of('abbreviations.csv');

-- A name, word by word. For few different names, not for each row: `names` is a list.
CREATE MACRO spelled_out(names) AS TABLE
SELECT name, string_agg(coalesce(long, word), ' ' ORDER BY nth) AS spelled
FROM (SELECT name, unnest(string_split(name, ' ')) AS word, generate_subscripts(string_split(name, ' '), 1) AS nth
      FROM (SELECT DISTINCT name FROM query_table(names) WHERE name IS NOT NULL)) AS words
LEFT JOIN abbreviation ON short = rtrim(lower(word), '.')
GROUP BY name;

CREATE TABLE place AS
SELECT lower(tidy(source_value)) AS name, min(concept_id::BIGINT) AS concept_id
FROM words_of('place_concepts.csv')
GROUP BY ALL;

CREATE TABLE listed_name AS
SELECT tidy(name) AS name FROM input_care_site;

-- `found` says what was found, as bits: see `finding` at the end.
CREATE TABLE listed AS
SELECT seq,
       'id:' || system AS kind,
       trimmed(i.id) AS id,
       spelled AS name,
       lower(spelled) AS name_key,
       coalesce(trimmed(i.id), tidy(i.name)) AS source_value,
       tidy(place_of_service) AS place,
       try_cast(trimmed(location_id) AS BIGINT) AS location_id,
       CASE WHEN spelled IS NULL THEN 1 ELSE 0 END
       | CASE WHEN length(coalesce(trimmed(i.id), tidy(i.name))) > 50 OR length(tidy(place_of_service)) > 50 THEN 2 ELSE 0 END
       | CASE WHEN spelled <> tidy(i.name) THEN 8 ELSE 0 END
       | CASE WHEN tidy(place_of_service) IS NOT NULL AND place.name IS NULL THEN 16 ELSE 0 END
       | CASE WHEN trimmed(location_id) IS NOT NULL AND try_cast(trimmed(location_id) AS BIGINT) IS NULL THEN 32 ELSE 0 END
       AS found
FROM input_care_site i
LEFT JOIN spelled_out('listed_name') AS s ON s.name = tidy(i.name)
LEFT JOIN place ON place.name = lower(tidy(place_of_service));

-- Whose an id is: a number of the lake, or for a new care site the seq of its first row, negative. A care site of the lake
-- that has no id yet gets that of the first row that gives its name.
CREATE TABLE listed_id AS
WITH first_row AS (
    SELECT kind, id, min(seq) AS seq, arg_min(name_key, seq) AS name_key
    FROM listed WHERE id IS NOT NULL AND found & 3 = 0 GROUP BY kind, id),
named AS ( -- the care site of the lake that has the name, where the id is new and it has none
    SELECT f.kind, f.id, n.care_site_id, row_number() OVER (PARTITION BY f.kind, n.care_site_id ORDER BY f.seq) AS nth
    FROM first_row f
    JOIN lake.care_site_key n ON n.kind = 'name' AND n.value = f.name_key
    WHERE NOT EXISTS (FROM lake.care_site_key k WHERE k.kind = f.kind AND k.value = f.id)
      AND NOT EXISTS (FROM lake.care_site_key k WHERE k.kind = f.kind AND k.care_site_id = n.care_site_id))
SELECT f.kind, f.id, f.seq, k.care_site_id IS NOT NULL AS known,
       coalesce(k.care_site_id, named.care_site_id, -f.seq) AS site
FROM first_row f
LEFT JOIN lake.care_site_key k ON k.kind = f.kind AND k.value = f.id
LEFT JOIN named ON named.kind = f.kind AND named.id = f.id AND named.nth = 1;

-- Whose a name is: likewise, and else of the first row that gives it.
CREATE TABLE listed_key AS
SELECT f.name_key, f.seq, k.care_site_id IS NOT NULL AS known, coalesce(k.care_site_id, i.site, -f.seq) AS site
FROM (SELECT name_key, min(seq) AS seq, arg_min(kind, seq) AS kind, arg_min_null(id, seq) AS id
      FROM listed WHERE found & 3 = 0 GROUP BY name_key) f
LEFT JOIN lake.care_site_key k ON k.kind = 'name' AND k.value = f.name_key
LEFT JOIN listed_id i ON i.kind = f.kind AND i.id = f.id;

CREATE TABLE listed_site AS
SELECT l.seq, coalesce(i.site, k.site) AS site, coalesce(i.site, k.site) <> k.site AS conflict
FROM listed l
JOIN listed_key k ON k.name_key = l.name_key
LEFT JOIN listed_id i ON i.kind = l.kind AND i.id = l.id
WHERE found & 3 = 0;

UPDATE listed SET found = found | 4 WHERE seq IN (SELECT seq FROM listed_site WHERE conflict);

-- New ones are numbered on from the highest, in the order of their first rows.
CREATE TABLE listed_number AS
SELECT site, CASE WHEN site > 0 THEN site
             ELSE row_number() OVER (ORDER BY site > 0, seq) + coalesce((SELECT max(care_site_id) FROM lake.care_site), 0) END AS care_site_id
FROM (SELECT site, min(seq) AS seq FROM listed_site WHERE NOT conflict GROUP BY site);

INSERT INTO out.care_site
SELECT n.care_site_id, r.name, coalesce(place.concept_id, 0), coalesce(r.location_id, l.location_id),
       coalesce(r.id, l.care_site_source_value, r.source_value),
       coalesce(r.place, l.place_of_service_source_value)
FROM (SELECT s.site, arg_max(name, seq) AS name, arg_max(location_id, seq) AS location_id,
             arg_max(id, seq) AS id, arg_max(source_value, seq) AS source_value, arg_max(place, seq) AS place
      FROM listed JOIN listed_site s USING (seq) WHERE NOT conflict GROUP BY s.site) r
JOIN listed_number n USING (site)
LEFT JOIN lake.care_site l ON l.care_site_id = n.care_site_id
LEFT JOIN place ON place.name = lower(coalesce(r.place, l.place_of_service_source_value))
ORDER BY n.care_site_id;

INSERT INTO out.care_site_key
SELECT kind, value, care_site_id
FROM (SELECT kind, id AS value, site, seq FROM listed_id WHERE NOT known
      UNION ALL
      SELECT 'name', name_key, site, seq FROM listed_key WHERE NOT known)
JOIN listed_number USING (site)
ORDER BY care_site_id, kind, value;

INSERT INTO out.quarantine (target, reason, kind, detail, source, object, version, line, raw)
SELECT 'care_site', f.reason, r.kind, f.detail, i.source, i.object, i.version, i.line, i.raw
FROM listed l
JOIN (VALUES (1, 1, 'name_missing', 'name: nothing is there'),
             (2, 2, 'cell_too_long', 'id, name or place_of_service: 50 characters at most'),
             (4, 4, 'identity_conflict', 'name: another care site has it'),
             (8, 0, 'abbreviation_expanded', 'name: spelled out by abbreviations.csv'),
             (16, 0, 'place_unknown', 'place_of_service: not in place_concepts.csv, the concept is 0'),
             (32, 0, 'location_malformed', 'location_id: no whole number, none is stored')) f (bit, rejects, reason, detail)
  ON l.found & f.bit <> 0 AND (l.found & 7 = 0 OR f.bit = l.found & 7 & -(l.found & 7))
LEFT JOIN reason r ON r.code = f.reason
JOIN input_care_site i ON i.seq = l.seq
ORDER BY l.seq, f.bit;
