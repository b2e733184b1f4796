-- The partner's tables and files, under the names that the other files use. This is the one file to change for another partner.
--
-- Each view has
--   seq      the order of the rows: a whole number from 1 to 4,000,000,000,000,000,000, of no two rows the same. Of two rows
--            that say different things the one with the higher number is the newer one. Here: the rows of a table are what was there
--            before, and then come the objects in the order of their deliveries. (What is in the lake is older than both. So a table
--            that is read in full once more says all of it anew, until the next file says something else.)
--   system   whose ids they are. Where two sources number their people each in its own way, give each its own word: the
--            same id in two systems says nothing. A word, once used, stays: it is part of the keys in the lake.
--   source, object, version, line    where the row came from
--   raw      the row as it came, for the quarantine
-- and what the partner says, as text, NULL where it says nothing.

CREATE VIEW input_care_site AS
SELECT _line AS seq,
       'partner' AS system,
       care_site_id AS id,
       care_site_name AS name,
       place_of_service,
       location_id,
       _source AS source,
       _table AS object,
       _snapshot AS version,
       _line AS line,
       json_object('care_site_id', care_site_id, 'care_site_name', care_site_name, 'place_of_service', place_of_service,
                   'location_id', location_id)::VARCHAR AS raw
FROM staged.partner_site;

-- id_source (IDSource) is not used: in the samples it names the row, not a system.
CREATE VIEW input_provider AS
SELECT _line AS seq, 'partner' AS system, provider_name AS name, provider_id AS number, npi, specialty, spec_source, site_name, source_id
FROM staged.partner_provider
UNION ALL
SELECT _delivery * 4294967296 + _line, 'partner', ProviderName, ProviderID, NPI, Specialty, SpecSource, SiteName, SourceID
FROM staged.provider_file;

-- Where rows came from and how, asked for those alone in which something was found: provider.sql fills the table.
CREATE TABLE found_provider (seq BIGINT, found INTEGER);

CREATE VIEW raw_provider AS
SELECT f.seq, f.found, _source AS source, _table AS object, _snapshot AS version, _line AS line,
       json_object('provider_id', provider_id, 'provider_name', provider_name, 'npi', npi, 'specialty', specialty, 'site_name',
                   site_name, 'source_id', source_id, 'spec_source', spec_source, 'id_source', id_source)::VARCHAR AS raw
FROM staged.partner_provider JOIN found_provider f ON f.seq = _line
UNION ALL
SELECT f.seq, f.found, _source, _object, _etag, _line,
       json_object('ProviderName', ProviderName, 'ProviderID', ProviderID, 'NPI', NPI, 'Specialty', Specialty, 'SiteName', SiteName,
                   'SourceID', SourceID, 'SpecSource', SpecSource, 'IDSource', IDSource, '_more', _more::JSON)::VARCHAR
FROM staged.provider_file JOIN found_provider f ON f.seq = _delivery * 4294967296 + _line;
