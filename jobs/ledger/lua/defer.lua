-- Asks again later. ARGV: request id, token, wait ms, lease ms (0 = its slot is free), task id ('' = any), 1 = HiDream has answered, then
-- '' for what is not so: the task's whole time as its progress predicts it in ms, a status that nobody has documented, what a result
-- without all sub-tasks lists; since when it has been missing in ms (when HiDream has not answered).
-- Returns 1 or 0 (no longer under way).
local rid, token, answered = ARGV[1], ARGV[2], ARGV[6] == '1'
local job = key('job', rid)
local asked = redis.call('HMGET', job, 'state', 'op', 'task_id', 'ended_ms', 'hinted', 'incomplete')
if asked[2] == token then return 1 end
if asked[1] ~= 'submitted' or (ARGV[5] ~= '' and asked[3] ~= ARGV[5]) then return 0 end
redis.call('HSET', job, 'op', token)
redis.call('HINCRBY', job, 'polls', 1)
if answered then
  redis.call('HSET', job, 'polled_ms', now, 'odd', ARGV[8], 'incomplete', ARGV[9])
  clear(rid, 'answered')
  if ARGV[9] ~= (asked[6] or '') then redis.call('HSET', job, 'incomplete_ms', now) end
  poll_answered(rid, asked[3] or '', ARGV[8] ~= '')
else
  redis.call('HINCRBY', job, 'unanswered', 1)
  redis.call('HSETNX', job, 'unanswered_ms', now)
  if ARGV[10] == '' then redis.call('HDEL', job, 'missing_ms', 'missed_ms')
  else redis.call('HSET', job, 'missing_ms', ARGV[10], 'missed_ms', now) end
end
-- The first word counts: later ones are easily right.
if ARGV[7] ~= '' then redis.call('HSETNX', job, 'predicted_ms', ARGV[7]) end
if asked[5] then
  -- A callback arrived while we were asking: what we were answered may be older than it.
  redis.call('HDEL', job, 'hinted')
  redis.call('ZADD', key('due'), 'XX', now, rid)
else
  redis.call('ZADD', key('due'), 'XX', now + ARGV[3], rid)
end
wake(rid)
-- A task that is over has no slot any more; only its pictures' addresses are asked for again. One that is asked for once more
-- takes a slot when HiDream says that it runs.
if ARGV[4] == '0' then release(rid)
elseif not asked[4] then
  local lease = now + ARGV[3] + ARGV[4]
  if answered then redis.call('ZADD', key('leases'), lease, rid) else redis.call('ZADD', key('leases'), 'XX', lease, rid) end
end
return 1
