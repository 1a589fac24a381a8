-- What was used and what it cost, by the hour, and the budgets that it must stay in.

-- '' is no key, no team. What deleted users have spent stays spent, as nobody's.
create table ledger (
    hour          timestamptz not null,
    user_id       text        references users on delete set null,
    key_id        text        not null default '',
    team_id       text        not null default '',
    model         text        not null,
    requests      bigint      not null,
    input_tokens  bigint      not null,
    output_tokens bigint      not null,
    cached_tokens bigint      not null,
    micros        bigint      not null,
    unique (hour, user_id, key_id, team_id, model)
);

create index ledger_of_user on ledger (user_id, hour);
create index ledger_of_key on ledger (key_id, hour) where key_id <> '';
create index ledger_of_team on ledger (team_id, hour) where team_id <> '';

-- It has taken the place of `usage`, whose hours nobody knows.
insert into ledger (hour, user_id, model, requests, input_tokens, output_tokens, cached_tokens, micros)
select day::timestamp at time zone 'utc', user_id, model, requests, input_tokens, output_tokens, 0, 0
from usage;

drop trigger count_usage on messages;
drop function count_usage;
drop function counted;
drop table usage;

-- Processes that grant. `batch` is the last that each has written, in the transaction `xid`.
create table ledger_holders (
    id      text        primary key,
    batch   bigint      not null,
    xid     text        not null,
    seen_at timestamptz not null
);

-- What was granted and has not ended, at the most that is expected of it. Not of a user who
-- exists: a guest's row may come later.
create table reservations (
    id            text        primary key,
    holder_id     text        not null,
    hour          timestamptz not null,
    user_id       text        not null,
    key_id        text        not null,
    team_id       text        not null,
    model         text        not null,
    input_tokens  bigint      not null,
    output_tokens bigint      not null,
    micros        bigint      not null
);

create table budgets (
    id         text        primary key,
    subject    text        not null check (subject in ('everyone', 'each', 'user', 'key', 'team')),
    subject_id text,
    model      text,
    period     text        not null check (period in ('hour', 'day', 'month', 'total')),
    requests   bigint      check (requests >= 0),
    tokens     bigint      check (tokens >= 0),
    micros     bigint      check (micros >= 0),
    is_own     boolean     not null default false,
    version    bigint      not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check ((subject_id is null) = (subject in ('everyone', 'each'))),
    check (num_nonnulls(requests, tokens, micros) > 0),
    unique nulls not distinct (subject, subject_id, model, period, is_own)
);

-- The one that a key's owner has set beside those of the admins.
create unique index budgets_own on budgets (subject_id) where is_own;

create function drop_budgets() returns trigger language plpgsql as $$
begin
    delete from budgets where subject = tg_argv[0] and subject_id = old.id;
    return null;
end $$;

create trigger drop_budgets after delete on users
    for each row execute function drop_budgets('user');
create trigger drop_budgets after delete on api_keys
    for each row execute function drop_budgets('key');
create trigger drop_budgets after delete on teams
    for each row execute function drop_budgets('team');

create function team_of(member text, known text) returns text language sql stable as $$
    select coalesce(nullif(known, ''), (
        select team_id from team_members where user_id = member
        order by joined_at, team_id limit 1), '')
$$;

-- Adds to the ledger: what a guest has used who is an account by now is the account's, what a
-- deleted user has used is nobody's. The lock is for a guest who is signing in: the next statement
-- sees whose it is then. Sorted, so that two processes do not wait for each other.
create function enter(entries jsonb) returns void language plpgsql as $$
begin
    perform from users where id in (select e ->> 'user_id' from jsonb_array_elements(entries) e)
    order by id for key share;
    insert into ledger as old
    select e.hour, owner.id, e.key_id, team_of(owner.id, e.team_id), e.model,
           sum(e.requests), sum(e.input_tokens), sum(e.output_tokens), sum(e.cached_tokens),
           sum(e.micros)
    from jsonb_to_recordset(entries) as e (
        hour timestamptz, user_id text, key_id text, team_id text, model text, requests bigint,
        input_tokens bigint, output_tokens bigint, cached_tokens bigint, micros bigint)
    left join users u on u.id = e.user_id
    left join users owner on owner.id = coalesce(u.upgraded_to, u.id)
    group by 1, 2, 3, 4, 5
    having sum(abs(e.requests) + abs(e.input_tokens) + abs(e.output_tokens) + abs(e.micros)) > 0
    order by 1, 2, 3, 4, 5
    on conflict (hour, user_id, key_id, team_id, model) do update
    set requests = old.requests + excluded.requests,
        input_tokens = old.input_tokens + excluded.input_tokens,
        output_tokens = old.output_tokens + excluded.output_tokens,
        cached_tokens = old.cached_tokens + excluded.cached_tokens,
        micros = old.micros + excluded.micros;
end $$;

-- A process's batch: what it has granted since the last, and what has ended. Once, however often it
-- is written: a commit may succeed and its connection break. Returns the transaction that did it.
-- What ended may have been entered as reserved, if the process was believed to be dead: then only
-- the difference is entered.
create function write_batch(holder text, number bigint, opened jsonb, ended jsonb)
returns text language plpgsql as $$
declare
    written text;
    swept   text[];
begin
    insert into ledger_holders as h values (holder, number, pg_current_xact_id(), clock_timestamp())
    on conflict (id) do update
    set batch = excluded.batch, xid = excluded.xid, seen_at = excluded.seen_at
    where h.batch < excluded.batch
    returning xid into written;
    if written is null then
        return (select xid from ledger_holders where id = holder);
    end if;

    insert into reservations
    select o.id, holder, o.hour, o.user_id, o.key_id, team_of(o.user_id, o.team_id), o.model,
           o.input_tokens, o.output_tokens, o.micros
    from jsonb_to_recordset(opened) as o (
        id text, hour timestamptz, user_id text, key_id text, team_id text, model text,
        input_tokens bigint, output_tokens bigint, micros bigint);

    with gone as (
        delete from reservations
        where id in (select e ->> 'id' from jsonb_array_elements(ended) e) returning id
    )
    select array_agg(e ->> 'id') into swept from jsonb_array_elements(ended) e
    where (e ->> 'was_opened')::boolean and e ->> 'id' not in (select id from gone);

    perform enter(coalesce((
        select jsonb_agg(entry) from (
            select jsonb_array_elements(e -> 'entries') as entry from jsonb_array_elements(ended) e
            union all
            select e -> 'undo' from jsonb_array_elements(ended) e where e ->> 'id' = any(swept)
        ) entries), '[]'));
    return written;
end $$;

-- What a process had reserved that has not been seen for so long is spent.
create function sweep_reservations(lease_s float8) returns bigint language plpgsql as $$
declare
    lost  jsonb;
    count bigint;
begin
    with dead as (
        delete from reservations r where not exists (
            select from ledger_holders h where h.id = r.holder_id
            and h.seen_at > clock_timestamp() - make_interval(secs => lease_s))
        returning *
    )
    select jsonb_agg(to_jsonb(dead) || '{"requests": 1, "cached_tokens": 0}'), count(*)
    into lost, count from dead;
    if count > 0 then
        perform enter(lost);
    end if;
    delete from ledger_holders where seen_at < clock_timestamp() - interval '1 day';
    return count;
end $$;
