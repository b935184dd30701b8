-- Opens a batch, or finds it. ARGV: batch, token (also the id of a ledger that has none), then field, value ... of a new batch.
-- Returns {1 if new, ledger id}.
redis.call('HSETNX', key('meta'), 'id', ARGV[2])
local b = key('batch', ARGV[1])
if redis.call('HEXISTS', b, 'pruning') == 1 then return redis.error_reply('PRUNING vton prune removes this batch just now') end
local new = redis.call('HSETNX', b, 'created_ms', now)
if new == 1 then
  redis.call('HSET', b, 'op', ARGV[2], 'open', 0, 'rows', 0, unpack(ARGV, 3))
  redis.call('ZADD', key('batches'), now, ARGV[1])
end
new = redis.call('HGET', b, 'op') == ARGV[2] and 1 or 0
redis.call('HSET', b, 'opened_ms', now)
uncancel(ARGV[1])
redis.call('ZADD', key('active'), now, ARGV[1])
return { new, redis.call('HGET', key('meta'), 'id') }
