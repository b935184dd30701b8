-- Asks again later. ARGV: request id, wait ms, lease ms (0 = its slot is free), 1 = there was no answer, task id ('' = any), the task's whole time as
-- its progress foretells it in ms ('' = it does not).
-- Returns 1 or 0 (no longer under way).
local rid = ARGV[1]
local asked = redis.call('HMGET', key('job', rid), 'state', 'task_id', 'ended_ms')
if asked[1] ~= 'submitted' or (ARGV[5] ~= '' and asked[2] ~= ARGV[5]) then return 0 end
redis.call('HINCRBY', key('job', rid), 'polls', 1)
if ARGV[4] == '1' then
  redis.call('HINCRBY', key('job', rid), 'unanswered', 1)
  redis.call('HSETNX', key('job', rid), 'unanswered_ms', now)
else
  redis.call('HSET', key('job', rid), 'polled_ms', now)
  redis.call('HDEL', key('job', rid), 'unanswered', 'unanswered_ms')
end
-- The first word counts: later ones are easily right.
if ARGV[6] ~= '' then redis.call('HSETNX', key('job', rid), 'foretold_ms', ARGV[6]) end
local hinted = redis.call('HGET', key('job', rid), 'hinted')
if hinted then
  -- A callback arrived while we were asking: what we were told may be older than it.
  redis.call('HDEL', key('job', rid), 'hinted')
  redis.call('ZADD', key('due'), 'XX', now, rid)
else
  redis.call('ZADD', key('due'), 'XX', now + ARGV[2], rid)
end
wake(rid)
-- A task that is over has no slot any more; only its pictures' addresses are asked for again.
if ARGV[3] == '0' then release(rid)
elseif not asked[3] then redis.call('ZADD', key('leases'), now + ARGV[2] + ARGV[3], rid) end
return 1
