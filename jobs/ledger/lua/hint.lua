-- A callback said that the task may be over: ask now. ARGV: request id, token, task id or ''. Returns 1 when the job is known.
-- A hint is never believed: a task id in it only makes an unknown job ask HiDream about that task.
local rid, token, task = ARGV[1], ARGV[2], ARGV[3]
local job = key('job', rid)
local found = redis.call('HMGET', job, 'state', 'task_id', 'ended_ms')
local state = found[1]
local function done() return 1 end
if not state then
  local memory = task ~= '' and recall(rid)
  if memory then remember(rid, memory.how, memory.ms, { task }) end
  return memory and 1 or 0
end
if state == 'submitting' or (state == 'queued' and redis.call('HGET', job, 'claim')) then
  -- Somebody is about to send it, or has: whoever records what became of that looks here.
  redis.call('HSET', job, 'hinted', 1)
  if task ~= '' then redis.call('HSET', job, 'hint_task', task) end
elseif state == 'submitted' and not found[3] and (task == '' or task == found[2]) then
  return once(token, function()
    redis.call('HSET', job, 'hinted', 1)
    redis.call('ZADD', key('due'), 'XX', now, rid)
    notify('watch', 8)
    return 1
  end)
elseif task ~= '' and task == found[2] and paid_loss(rid) then
  ask_old_task(rid)
  once(token, done)
elseif state == 'unknown' or state == 'queued' or state == 'cancelled' or (state == 'failed' and not found[2]) then
  if adopt(rid, task) then once(token, done) end
end
return 1
