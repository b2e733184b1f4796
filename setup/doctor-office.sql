-- The doctor's office: the database as the site has it before ingestd comes. Run by psql as a superuser, in any database;
-- running it again changes nothing. In a container where POSTGRES_USER is dataeng and POSTGRES_DB is doctor_office, role and
-- database are there already and the rest is done as that user.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;

SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dataeng') AS role_missing,
       NOT EXISTS (SELECT FROM pg_database WHERE datname = 'doctor_office') AS database_missing \gset
\if :role_missing
    CREATE ROLE dataeng LOGIN PASSWORD 'best';
\endif
\if :database_missing
    CREATE DATABASE doctor_office;
\endif
\connect doctor_office
SET client_min_messages = warning;

BEGIN;

CREATE TABLE IF NOT EXISTS public.patient (
    id           serial PRIMARY KEY,
    phone_number varchar(10),
    first_name   varchar(50),
    last_name    varchar(50)
);

CREATE TABLE IF NOT EXISTS public.diagnose (
    id         bigint PRIMARY KEY,
    icd10_code varchar(10) NOT NULL,
    patient_id int NOT NULL REFERENCES public.patient,
    tsp        timestamp NOT NULL
);

CREATE TABLE IF NOT EXISTS public.claim (
    id         bigint PRIMARY KEY,
    code       varchar(10) NOT NULL,
    price      numeric NOT NULL,
    patient_id int NOT NULL REFERENCES public.patient,
    tsp        timestamp NOT NULL
);

-- A thousand made-up patients, 1 to 1000; the same ones each time.
WITH names AS (
    SELECT ARRAY['Ada', 'Bruno', 'Carla', 'Dmitri', 'Elif', 'Farid', 'Greta', 'Hugo', 'Ines', 'Jakob',
                 'Kaya', 'Liam', 'Mona', 'Noah', 'Olga', 'Pavel', 'Quirin', 'Rosa', 'Samir', 'Tilda'] AS first,
           ARRAY['Abbott', 'Becker', 'Castro', 'Dubois', 'Eriksen', 'Fischer', 'Garcia', 'Horvat', 'Ivanov', 'Jansen',
                 'Kowalski', 'Larsen', 'Moreau', 'Novak', 'O''Brien', 'Papadopoulos', 'Rossi', 'Silva', 'Takahashi',
                 'Unger', 'Vargas', 'Weber', 'Yilmaz', 'Zhang', 'Zimmermann'] AS last
)
INSERT INTO public.patient (id, phone_number, first_name, last_name)
SELECT n, '555' || lpad((n * 7919 % 10000000)::text, 7, '0'),
       first[1 + n % cardinality(first)], last[1 + n / cardinality(first) % cardinality(last)]
FROM generate_series(1, 1000) AS n, names
ON CONFLICT DO NOTHING;
SELECT setval('public.patient_id_seq', greatest(max(id), 1000)) AS last_patient FROM public.patient \gset

GRANT USAGE, CREATE ON SCHEMA public TO dataeng;
GRANT ALL ON public.patient, public.diagnose, public.claim TO dataeng;
GRANT ALL ON SEQUENCE public.patient_id_seq TO dataeng;

-- Where ingestd keeps its own tables: the ledger, the dead letters, the parked rows.
CREATE SCHEMA IF NOT EXISTS ingest AUTHORIZATION dataeng;

COMMIT;
