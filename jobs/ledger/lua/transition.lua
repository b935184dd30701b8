-- One step of one job. ARGV: request id, operation token, states it may be in ("a,b"), claim it must have ('' = any), task it must
-- have ('' = any), new state ('' = stays), what else it means, due time in ms ('' = as it is), fields...
-- It may mean: 'release' the lease | 'refund' what it was charged | 'answered' by the account | 'fetch' its addresses anew | 'over':
-- nothing of its task is due any more.
-- A field with the value '' is removed. Returns 1 when done (or done before by this token), else 0.
local rid, token, allowed, claim, task, to = unpack(ARGV, 1, 6)
local job, means = key('job', rid), {}
for word in string.gmatch(ARGV[7], '%a+') do means[word] = true end
local found = redis.call('HMGET', job, 'state', 'op', 'claim', 'task_id', 'hint_task')
local state = found[1]
if not state then return 0 end
if found[2] == token then return 1 end
if not string.find(',' .. allowed .. ',', ',' .. state .. ',', 1, true) or (claim ~= '' and found[3] ~= claim)
    or (task ~= '' and found[4] ~= task) then
  return 0
end

redis.call('HSET', job, 'op', token)
for i = 9, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', job, ARGV[i]) else redis.call('HSET', job, ARGV[i], ARGV[i + 1]) end
end
if to == 'unknown' then
  to_unknown(rid)
  return 1
end
-- A callback that named its task meanwhile is believed before the refusal, see give_back.lua.
local adopted = means.refund and adopt(rid, found[5])
if means.refund and not adopted then refund(rid) end
if means.answered then account_answers(rid) end
if adopted then return 1 end
if means.release then release(rid) end
if means.fetch then clear(rid, 'fetch') end
if means.over then
  clear(rid, 'over')
  redis.call('ZREM', key('due'), rid)
end
if ARGV[8] ~= '' then
  redis.call('ZADD', key('due'), ARGV[8], rid)
  wake(rid)
end
if to == '' then return 1 end
redis.call('ZREM', key('unknown'), rid)
redis.call('HSET', job, 'finished_ms', now)
move(rid, to)
if to == 'succeeded' then
  clear(rid, 'kept')
  -- Only a settlement that is taken back would give it back to the budget of its day.
  if redis.call('HEXISTS', job, 'settled') == 0 then redis.call('HDEL', job, 'paid_day') end
  redis.call('HDEL', key('gate'), 'lost')
  redis.call('HSET', key('gate'), 'fetched_ms', now)
  results_come('pictures')
end
if state == 'submitted' then
  -- A loss is ours to say; every other end was HiDream's word.
  if paid_loss(rid) then redis.call('ZREM', key('odd'), rid) else poll_answered(rid, found[4] or '') end
end
return 1
