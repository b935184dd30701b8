-- A callback said that the task may be over: ask now. ARGV: request id, task id or ''. Returns 1 when the job is known.
-- A hint is never believed: a task id in it only makes an unknown job ask HiDream about that task.
local rid, task = ARGV[1], ARGV[2]
local job = key('job', rid)
local found = redis.call('HMGET', job, 'state', 'task_id', 'ended_ms')
local state = found[1]
if not state then return 0 end
if state == 'submitting' then
  redis.call('HSET', job, 'hinted', 1)
elseif state == 'submitted' and not found[3] and (task == '' or task == found[2]) then
  redis.call('HSET', job, 'hinted', 1)
  redis.call('ZADD', key('due'), 'XX', now, rid)
  ring('watch', 8)
elseif state == 'unknown' and task ~= '' and redis.call('HSETNX', key('tasks'), task, rid) == 1 then
  redis.call('HSET', job, 'task_id', task, 'submitted_ms', now, 'polls', 0, 'hinted', 1)
  redis.call('HDEL', job, 'failure')
  redis.call('HINCRBY', job, 'attempts', 1)
  redis.call('ZREM', key('unknown'), rid)
  redis.call('ZADD', key('due'), now, rid)
  move(rid, 'submitted')
  ring('watch', 8)
end
return 1
