-- Brings one job in as a results file knows it, into a ledger that has lost it or is older; buys nothing, ever.
-- ARGV: request id, token, fresh ledger id, state known, task id ('' = none), pair, then fields of the job...
-- Returns 1 the job is as the file knows it | 0 the ledger knows as much or more | 2 the task id is another job's.
local rid, token, known, task = ARGV[1], ARGV[2], ARGV[4], ARGV[5]
local job = key('job', rid)
redis.call('HSETNX', key('meta'), 'id', ARGV[3])
local found = redis.call('HMGET', job, 'state', 'op', 'task_id', 'finished_ms', 'past', 'paid_batch', 'paid_day')
local state, past = found[1], found[5] or ''
if found[2] == token then return 1 end

-- What was pruned is known by its memory: of what was bought, or may have been, only a picture, or another task that may have one, is news.
local memory = not state and recall(rid)
local asks = known == 'submitted' and task ~= ''
if memory and memory.how ~= 'a' and known ~= 'succeeded' and not (asks and not has_word(table.concat(memory.tasks, ' '), task)) then
  return 0
end

local fields = {}
for i = 7, #ARGV, 2 do fields[ARGV[i]] = ARGV[i + 1] end

local function behind()
  if not state then return true end
  if state == 'succeeded' then return false end
  if known == 'succeeded' then return true end
  -- Whose task is a former one of the other is the older of the two.
  if task ~= '' and has_word(past, task) then return false end
  if found[3] and has_word(fields.past, found[3]) then return true end
  if state == 'submitted' or state == 'rejected' then return false end
  if state == 'submitting' then
    -- A POST may be under way now; one of long ago is over.
    local deadline = redis.call('ZSCORE', key('posting'), rid)
    if deadline and tonumber(deadline) > now then return false end
  end
  if state ~= 'failed' then return known ~= state end
  if known == 'submitted' then return found[3] ~= task end
  if known == 'unknown' then
    return not found[3] or tonumber(fields.begun_ms or '0') > tonumber(found[4] or '0')
  end
  return tonumber(fields.finished_ms or '0') > tonumber(found[4] or '0')
end
if not behind() then return 0 end
if task ~= '' and redis.call('HSETNX', key('tasks'), task, rid) == 0 and redis.call('HGET', key('tasks'), task) ~= rid then
  return 2
end

if not state then redis.call('HSET', job, 'state', 'queued', 'v', 0, 'refs', '', 'pair', ARGV[6]) end
release(rid)
for _, set in ipairs({ 'unknown', 'retry', 'due' }) do redis.call('ZREM', key(set), rid) end
-- The order that this ledger has counted is the one that the file knows.
local same = found[6] and (not found[3] or found[3] == task)
if found[3] == task then redis.call('HDEL', job, 'task_id') end
if same then clear(rid, 'unpaid') end
forget_task(rid, 'renewed')
past = redis.call('HGET', job, 'past') or ''
redis.call('HSET', job, 'op', token, unpack(ARGV, 7))
-- What either of them knows is kept.
if past ~= '' then redis.call('HSET', job, 'past', past) end
for id in string.gmatch(fields.past or '', '%S+') do keep_id(rid, id) end
if task ~= '' then redis.call('HSET', job, 'task_id', task) end
if same then
  redis.call('HSET', job, 'paid_batch', found[6], 'paid_day', found[7] or today())
  if not found[3] and task ~= '' then charge(rid) end
end
if known == 'submitted' then
  ask_old_task(rid)
else
  if known == 'unknown' then redis.call('ZADD', key('unknown'), now, rid) end
  move(rid, known)
end
return 1
