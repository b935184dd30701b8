-- Writes the intent, last thing before the POST. ARGV: request id, claim, deadline ms, ledger id, go at, interval us, rate window ms,
-- and, where replicas have to confirm it, how many orders the caller knows to be confirmed.
-- A callback may have named an earlier POST's task meanwhile: then there is nothing left to buy, and the permit is void.
-- Returns {1, since when, its number among all orders, a mark of the server, the batch that pays} | {0, 'closed'} the account was closed meanwhile or the slot is gone: give the permit back | {0, 'fenced'} | {0, 'lost'}.
local rid, claim = ARGV[1], ARGV[2]
local job = key('job', rid)
if redis.call('HGET', key('meta'), 'id') ~= ARGV[4] then return { 0, 'lost' } end
local mark = recognise()
local found = redis.call('HMGET', job, 'state', 'claim', 'hint_task', 'begun_ms', 'order', 'paid_batch')
if found[2] ~= claim then return { 0, 'fenced' } end
if found[1] == 'submitting' then return { 1, found[4], found[5] or redis.call('HGET', key('meta'), 'orders'), mark, found[6] or '' } end
if found[1] ~= 'queued' then return { 0, 'fenced' } end
if adopt(rid, found[3]) then return { 0, 'fenced' } end
local g = redis.call('HMGET', key('gate'), 'paused', 'closed_until', 'breaker', 'probe')
if g[1] or tonumber(g[2] or '0') > now or (g[3] and g[4] ~= rid) then return { 0, 'closed' } end
-- Its slot may have gone to another while this worker stood still.
local lease = redis.call('ZSCORE', key('leases'), rid)
if not lease or tonumber(lease) <= now then return { 0, 'closed' } end
-- Who comes late arrives in somebody else's window: the next place in the rate moves on for it.
if now - tonumber(ARGV[5]) > 300 then
  local interval = tonumber(ARGV[6]) / 1000 / rate_factor(tonumber(ARGV[7]))
  local tat = math.max(tonumber(redis.call('HGET', key('gate'), 'tat') or '0'), now) + interval
  redis.call('HSET', key('gate'), 'tat', string.format('%.3f', tat))
end
local order = redis.call('HINCRBY', key('meta'), 'orders', 1)
redis.call('HSET', job, 'begun_ms', now, 'order', order)
redis.call('HDEL', job, 'given_back')
redis.call('ZADD', key('posting'), now + ARGV[3], rid)
redis.call('ZADD', key('leases'), now + ARGV[3], rid)
move(rid, 'submitting')
if ARGV[8] then
  local confirmed = math.max(tonumber(redis.call('HGET', key('meta'), 'confirmed_orders') or '0'), tonumber(ARGV[8]))
  redis.call('HSET', key('meta'), 'confirmed_orders', confirmed)
end
return { 1, now, order, mark, found[6] or '' }
