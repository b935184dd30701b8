-- HiDream has taken the job, and who says so comes too late for accept.lua: the task id is never forgotten all the same.
-- ARGV: request id, task id, sub-task ids, ledger id ('' = any).
-- Returns 'task' the job has this task, and is asked for by it | 'past' the id is kept, the job went another way |
-- '' another ledger, or one that does not know the job.
local rid, task = ARGV[1], ARGV[2]
local job = key('job', rid)
if ARGV[4] ~= '' and redis.call('HGET', key('meta'), 'id') ~= ARGV[4] then return '' end
local found = redis.call('HMGET', job, 'state', 'claim', 'task_id', 'past')
local state = found[1]
if not state then
  local memory = recall(rid)
  if not memory then return '' end
  -- It was pruned as one that nobody could account for: now it was bought for sure.
  remember(rid, memory.how == 'p' and 's' or memory.how, memory.ms, { task })
  return 'past'
end
if found[3] == task then return 'task' end
if has_word(found[4], task) then return 'past' end

local waits = state == 'queued' and not found[2]
if (waits or state == 'unknown' or state == 'cancelled' or (state == 'failed' and not found[3])) and adopt(rid, task) then
  redis.call('HSET', job, 'subs', ARGV[3])
  -- No callback has said it: how far those can be relied on is not learnt from it.
  redis.call('HDEL', job, 'hinted')
  return 'task'
end
-- A permit is out for it, or it is being sent again: whoever does that asks for this task instead of buying another one, unless that
-- is bought already.
if state == 'queued' or state == 'submitting' then redis.call('HSET', job, 'hint_task', task) else name_order(rid, task) end
keep_id(rid, task)
return 'past'
