-- Accounts: passwords, identities at providers, sessions, API keys.

alter table users
    add column password_hash  text,
    add column email_verified boolean not null default false,
    add column role           text    not null default 'user' check (role in ('user', 'admin')),
    -- a guest whose chats an account has taken over: its signed token stores nothing any more
    add column upgraded_to    text    references users on delete cascade;

create index users_upgraded on users (upgraded_to) where upgraded_to is not null;

create table identities (
    provider   text        not null check (provider in ('github', 'google')),
    subject    text        not null,
    user_id    text        not null references users on delete cascade,
    created_at timestamptz not null default now(),
    primary key (provider, subject)
);

create index identities_of_user on identities (user_id);

create table sessions (
    id         text        primary key,
    token_hash bytea       not null unique,
    user_id    text        not null references users on delete cascade,
    user_agent text        not null default '',
    address    text        not null default '',
    created_at timestamptz not null default now(),
    renewed_at timestamptz not null default now()
);

create index sessions_of_user on sessions (user_id, created_at desc);

create table api_keys (
    id           text        primary key,
    key_hash     bytea       not null unique,
    user_id      text        not null references users on delete cascade,
    name         text        not null,
    prefix       text        not null,
    created_at   timestamptz not null default now(),
    last_used_at timestamptz
);

create index api_keys_of_user on api_keys (user_id, created_at desc);
