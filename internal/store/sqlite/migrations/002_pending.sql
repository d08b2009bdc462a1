-- Those who have asked to be let in: few, counted at each new one, and
-- forgotten after a while.
CREATE INDEX users_pending ON users (status, created) WHERE status IN ('waiting', 'unverified');
