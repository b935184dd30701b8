-- HiDream failed the task: one more task for the same job, after a while.
-- ARGV: request id, token, task id, wait ms. Returns 1 or 0 (fenced).
local rid, token = ARGV[1], ARGV[2]
local job = key('job', rid)
local found = redis.call('HMGET', job, 'state', 'op', 'task_id')
if found[2] == token then return 1 end
if found[1] ~= 'submitted' or found[3] ~= ARGV[3] then return 0 end
redis.call('HSET', job, 'op', token)
redis.call('HINCRBY', job, 'task_failures', 1)
poll_answered(rid, found[3])
forget_task(rid, 'queued')
redis.call('ZREM', key('due'), rid)
release(rid)
move(rid, 'queued')
redis.call('ZADD', key('retry'), now + ARGV[4], rid)
return 1
