"""What Redis does at once, in Lua.

A counter is a hash: requests, tokens, micros with all that is reserved; the snapshot by which it
was loaded; and a field `r:ID` for each open reservation with its tokens and micros.
"""

# KEYS: the epoch, the counters. ARGV: id, requests, tokens, micros; three limits for each counter.
RESERVE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return {1} end
local used, absent = {}, {2}
for i = 2, #KEYS do
  used[i] = redis.call('HMGET', KEYS[i], 'requests', 'tokens', 'micros')
  if not used[i][1] then table.insert(absent, i - 2) end
end
if #absent > 1 then return absent end
for i = 2, #KEYS do
  for kind = 1, 3 do
    local most = ARGV[3 * i - 2 + kind]
    if most ~= '' and used[i][kind] + ARGV[1 + kind] > tonumber(most) then
      return {3, i - 2, kind - 1, tonumber(used[i][kind]), redis.call('HLEN', KEYS[i]) - 4}
    end
  end
end
local held = ARGV[3] .. ' ' .. ARGV[4]
for i = 2, #KEYS do
  redis.call('HINCRBY', KEYS[i], 'requests', ARGV[2])
  redis.call('HINCRBY', KEYS[i], 'tokens', ARGV[3])
  redis.call('HINCRBY', KEYS[i], 'micros', ARGV[4])
  redis.call('HSET', KEYS[i], 'r:' .. ARGV[1], held)
end
return {0}
"""

# KEYS: what was the last that a process has told, the counters. ARGV: this one's number, JSON of
# [{id, xid, amount, keys}].
SETTLE = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return end
redis.call('SET', KEYS[1], ARGV[1], 'EX', 86400)
local function has_seen(snapshot, xid)
  local first, next, open = snapshot:match('^(%d+):(%d+):(.*)$')
  if tonumber(xid) < tonumber(first) then return true end
  if tonumber(xid) >= tonumber(next) then return false end
  return not (',' .. open .. ','):find(',' .. xid .. ',', 1, true)
end
local function add(key, amount, requests, tokens, micros)
  redis.call('HINCRBY', key, 'requests', string.format('%.0f', amount[1] - requests))
  redis.call('HINCRBY', key, 'tokens', string.format('%.0f', amount[2] - tokens))
  redis.call('HINCRBY', key, 'micros', string.format('%.0f', amount[3] - micros))
end
for _, ended in ipairs(cjson.decode(ARGV[2])) do
  local field = 'r:' .. ended.id
  for _, place in ipairs(ended.keys) do
    local key = KEYS[place]
    local found = redis.call('HMGET', key, 'snapshot', field)
    if not found[1] then
      redis.call('INCR', key .. ':missed')
      redis.call('EXPIRE', key .. ':missed', 60)
    elseif found[2] then
      local tokens, micros = found[2]:match('^(%d+) (%d+)$')
      add(key, ended.amount, 1, tokens, micros)
      redis.call('HDEL', key, field)
    elseif not has_seen(found[1], ended.xid) then
      add(key, ended.amount, 0, 0, 0)
    end
  end
end
"""

# KEYS: the epoch, one more.
LOOK = "return redis.call('MGET', KEYS[1], KEYS[2])"

# KEYS: the epoch, what was missed, the counter. ARGV: both as they were before the sums were read;
# the snapshot, for how many seconds; requests, tokens, micros; then id, tokens, micros of each
# open reservation. 0: read again.
INSTALL = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 1 end
if redis.call('EXISTS', KEYS[3]) == 1 then return 1 end
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[3], 'requests', ARGV[5], 'tokens', ARGV[6], 'micros', ARGV[7],
           'snapshot', ARGV[3])
for i = 8, #ARGV, 3 do
  redis.call('HSET', KEYS[3], 'r:' .. ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2])
  redis.call('HINCRBY', KEYS[3], 'requests', 1)
  redis.call('HINCRBY', KEYS[3], 'tokens', ARGV[i + 1])
  redis.call('HINCRBY', KEYS[3], 'micros', ARGV[i + 2])
end
if ARGV[4] ~= '' then redis.call('EXPIRE', KEYS[3], ARGV[4]) end
return 1
"""

# KEYS: the epoch, the counter.
READ = """
if redis.call('EXISTS', KEYS[1]) == 0 then return {1} end
local used = redis.call('HMGET', KEYS[2], 'requests', 'tokens', 'micros')
if not used[1] then return {2} end
return {0, tonumber(used[1]), tonumber(used[2]), tonumber(used[3])}
"""

# KEYS: the epoch, the recovery. ARGV: a name for it. Nothing where there is an epoch.
RECOVER = """
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
redis.call('SET', KEYS[2], ARGV[1], 'NX', 'EX', 60)
return redis.call('GET', KEYS[2])
"""

# KEYS: the epoch, the recovery, who has written. ARGV: the recovery's name, who writes to say so,
# all who must.
FINISH = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SADD', KEYS[3], ARGV[2])
redis.call('EXPIRE', KEYS[3], 60)
for i = 3, #ARGV do
  if redis.call('SISMEMBER', KEYS[3], ARGV[i]) == 0 then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return 1
"""
