-- The OMOP tables that this mapping fills, the codes of what it finds wrong, and two words that the other files use.
-- The first of the files: what is made here in `out` is what is in the lake afterwards. Add columns at the end, remove none.

-- OMOP CDM 5.4, care_site and provider, with the two columns that the partner's own DDL adds to provider:
-- provider_name NOT NULL and provider_type_concept_id. Ids are BIGINT.
CREATE TABLE out.care_site (
    care_site_id                  BIGINT NOT NULL,
    care_site_name                VARCHAR,
    place_of_service_concept_id   BIGINT NOT NULL,
    location_id                   BIGINT,
    care_site_source_value        VARCHAR, -- 50 characters at most
    place_of_service_source_value VARCHAR  -- 50
);

CREATE TABLE out.provider (
    provider_id              BIGINT NOT NULL,
    provider_name            VARCHAR NOT NULL,
    npi                      VARCHAR, -- ten digits: text, for some begin with 0
    provider_type_concept_id BIGINT NOT NULL,
    specialty_concept_id     BIGINT NOT NULL,
    care_site_id             BIGINT,
    provider_source_value    VARCHAR, -- 50
    specialty_source_value   VARCHAR  -- 50
);

-- Under which names and ids of the partner's each is known. This is what makes ids last: a row that comes again, in
-- another spelling or in another year, finds its id here. An NPI is not among them, it is in provider itself.
CREATE TABLE out.care_site_key (
    kind         VARCHAR NOT NULL, -- 'name', or 'id:SYSTEM' where SYSTEM says whose ids they are (input.sql)
    value        VARCHAR NOT NULL,
    care_site_id BIGINT NOT NULL
);

CREATE TABLE out.provider_key (
    kind        VARCHAR NOT NULL, -- 'id:SYSTEM', or 'id:SYSTEM number' of a ProviderID
    value       VARCHAR NOT NULL,
    provider_id BIGINT NOT NULL
);

-- A CSV file that lies beside the SQL. The buffer is that of a small file: the usual one takes 32 MB.
CREATE MACRO words_of(file) AS TABLE
FROM read_csv(getvariable('folder') || '/' || file, header = true, delim = ',', quote = '"', all_varchar = true,
              buffer_size = 1048576, max_line_size = 65536);

-- The codes of out.quarantine. docs/bad-data.md says the same of each, with an example.
CREATE TABLE reason AS
SELECT code, kind, sentence
FROM words_of('reasons.csv');

-- A cell without the blanks around it; NULL where nothing is left, or the word NULL. Few begin or end with a blank, and those
-- alone are worth a closer look.
CREATE MACRO trimmed(cell) AS
    nullif(CASE WHEN cell < '!' OR suffix(cell, ' ') OR suffix(cell, chr(9)) OR suffix(cell, chr(10)) OR suffix(cell, chr(13))
                THEN nullif(regexp_replace(cell, '^\s+|\s+$', '', 'g'), '') ELSE cell END, 'NULL');

-- The same, and one blank where there are several.
CREATE MACRO tidy(cell) AS
    nullif(nullif(trim(regexp_replace(cell, '[\s\x{00A0}]+', ' ', 'g')), ''), 'NULL');

-- A name without titles before it, and without those behind a comma; NULL where it is only a title.
CREATE MACRO without_titles(name) AS
    nullif(regexp_replace(regexp_replace(name,
        '^((dr|prof|mr|mrs|ms)(\.\s*|\s+|$))+', '', 'i'),
        '(\s*,\s*(md|m\.d\.?|do|d\.o\.?|phd|ph\.d\.?|dds|rn|np|pa|mbbs))+$', '', 'i'), '');

-- One that is cut short: the first word begins with a letter alone (J. Doe, J.R. Doe, J Doe), or the last one is a letter (Jane S., Emily J).
CREATE MACRO is_short(name) AS
    regexp_matches(name, '^.(\.|\s|$)|\s.\.?$');

-- Two or more plain words of at least two letters, and none of them a title: what most names are. Nothing is to be done to
-- them, and finding that out costs less than doing it.
CREATE MACRO is_plain(name) AS
    regexp_full_match(name,
        '([A-LNOQ-Za-lnoq-z][A-Za-z''-]{2,}|[MmPp][A-QS-Za-qs-z''-][A-Za-z''-]+)( [A-Za-z0-9''-]{2,})+');
