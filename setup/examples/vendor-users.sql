-- Our users, each with the place of their practice. Who has none, or one that is not there, comes all the same: a LEFT JOIN.
SELECT u.id, u.firstname, u.lastname, u.classification, u.specialty, p.location, u.last_active_date
  FROM user u
  LEFT JOIN user_practice p ON p.id = u.practice_id
