-- A person has found out what became of the POST of an unknown job. ARGV: request id, token, batch that wants it, outcome: 'bought' |
-- 'not_bought' | 'leave', task id ('' = none), when that POST began in ms ('' = its last one), 1 = instead of what was settled before,
-- who says it.
-- bought: the task is asked for, nothing is bought | not_bought: the job waits again, and its budgets get it back | leave: it stays.
-- Returns {'settled', state} | {'known', state} it was settled so | and, nothing being changed: {'none'} the batch has no such job |
-- {'state', state} it is not unknown | {'post', ms} its last POST is another one | {'differs', settlement} it was settled otherwise |
-- {'moved', state} and what followed cannot be taken back | {'taken', request id} the task is another job's, or an earlier one of its own.
local rid, token, batch, outcome, task, posted, force, who = unpack(ARGV, 1, 8)
local job = key('job', rid)
-- Sent again it may meet another POST, of which nothing has been found out.
local before = redis.call('GET', key('once', token))
if before then return { 'settled', before } end
local function look()
  return unpack(redis.call('HMGET', job, 'state', 'refs', 'settled', 'begun_ms', 'task_id', 'claim', 'paid_batch'))
end
local state, refs, settled, begun, present, claim, payer = look()
if not state or not refers_to(refs, batch) or redis.call('HEXISTS', key('batch', batch), 'pruning') == 1 then return { 'none' } end
begun = begun or ''

local history = settled and cjson.decode(settled) or {}
local function ms_of(one) return one.posted_ms and string.format('%.0f', one.posted_ms) or '' end
local last = history[#history]
if posted == '' then posted = (state == 'unknown' or not last) and begun or ms_of(last) end
local former
for _, one in ipairs(history) do
  if ms_of(one) == posted then former = one end
end
if former and former.outcome == outcome and (former.task_id or '') == task then return { 'known', state } end
local other = task ~= '' and redis.call('HGET', key('tasks'), task)
if other and (other ~= rid or present ~= task) then return { 'taken', other } end

-- What was bought by a wrong word is taken back: the id was a person's, so it is nobody's again.
local function take_back_task()
  local order = redis.call('HMGET', job, 'paid_batch', 'paid_day', 'begun_ms')
  redis.call('HDEL', key('tasks'), present)
  if order[1] then count_money(order[1], 'charged', -1) end
  redis.call('HINCRBY', job, 'attempts', -1)
  release(rid)
  redis.call('ZREM', key('due'), rid)
  redis.call('ZREM', key('odd'), rid)
  clear(rid, 'queued')
  for at, name in ipairs({ 'paid_batch', 'paid_day', 'begun_ms' }) do
    if order[at] then redis.call('HSET', job, name, order[at]) end
  end
end

-- What was given back by a wrong word counts again.
local function take_back_refund()
  redis.call('ZREM', key('retry'), rid)
  if former.batch then
    count_order(rid, former.batch)
    count_money(former.batch, 'refunded', -1)
  end
  redis.call('HSET', job, 'begun_ms', posted)
end

if former and former.outcome ~= 'leave' then
  if force ~= '1' then return { 'differs', cjson.encode(former) } end
  if former ~= last then return { 'moved', state } end
  if former.outcome == 'bought' and present == former.task_id and state ~= 'unknown' then take_back_task()
  elseif former.outcome == 'not_bought' and state == 'queued' and not claim then take_back_refund()
  else return { 'moved', state } end
  redis.call('HSET', job, 'failure', cjson.encode({ kind = 'no_answer', retryable = false, owner = 'ops',
    message = 'What became of it was settled, and that was taken back; it may have been bought' }))
  redis.call('HDEL', job, 'finished_ms')
  move(rid, 'unknown')
  state, refs, settled, begun, present, claim, payer = look()
elseif state ~= 'unknown' then
  return { 'state', state }
elseif posted ~= begun then
  return { 'post', begun }
end

history[#history + 1] = { outcome = outcome, task_id = task ~= '' and task or nil, posted_ms = tonumber(begun or ''),
  batch = payer or nil, by = who, at_ms = now }
redis.call('HSET', job, 'settled', cjson.encode(history))
redis.call('ZREM', key('unknown'), rid)
if outcome == 'leave' then
  move(rid, 'unknown')
elseif outcome == 'bought' then
  -- Two jobs had it: it is this one's.
  if other then ask_old_task(rid) else adopt(rid, task) end
  -- No callback has said it: how far those can be relied on is not learnt from it.
  redis.call('HDEL', job, 'hinted')
else
  if present and payer then count_money(payer, 'charged', -1) end
  release(rid)
  refund(rid)
  forget_task(rid, 'renewed')
  back_to_queue(rid)
  notify('wakeups', 64)
end
state = redis.call('HGET', job, 'state')
redis.call('SET', key('once', token), state, 'PX', 600000)
return { 'settled', state }
