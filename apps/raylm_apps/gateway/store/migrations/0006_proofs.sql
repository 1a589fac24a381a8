-- What was sent to an address and is shown again by whoever reads its mail. A reset is bound to the
-- password that it is to replace: whatever changes that one voids it.

create table proofs (
    token_hash      bytea       primary key,
    user_id         text        not null references users on delete cascade,
    purpose         text        not null check (purpose in ('reset', 'verify')),
    email           text        not null,
    password_digest bytea,
    created_at      timestamptz not null default now(),
    expires_at      timestamptz not null
);

create function digest_of_password(u users) returns bytea language sql immutable as $$
    select sha256(convert_to(coalesce(u.password_hash, ''), 'UTF8'))
$$;

create index proofs_of_user on proofs (user_id, created_at);
create index proofs_expired on proofs (expires_at);
