-- One step of one job. ARGV: request id, operation token, states it may be in ("a,b"), claim it must have ('' = any),
-- new state ('' = stays), 1 = release the lease, 1 = refund, 1 = the account has answered, due time ('' = as it is, '-1' = none, else ms),
-- task it must have ('' = any), fields...
-- A field with the value '' is removed. Returns {1, state} when done (or done before by this token), else {0, state}.
local rid, token, allowed, claim, to = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local job = key('job', rid)
local found = redis.call('HMGET', job, 'state', 'op', 'claim', 'task_id', 'hint_task')
local state = found[1]
if not state then return { 0, '' } end
if found[2] == token then return { 1, state } end
if not string.find(',' .. allowed .. ',', ',' .. state .. ',', 1, true) then return { 0, state } end
if claim ~= '' and found[3] ~= claim then return { 0, state } end
if ARGV[10] ~= '' and found[4] ~= ARGV[10] then return { 0, state } end

redis.call('HSET', job, 'op', token)
for i = 11, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', job, ARGV[i])
  else redis.call('HSET', job, ARGV[i], ARGV[i + 1]) end
end
if to == 'unknown' then
  return { 1, to_unknown(rid) and 'unknown' or 'submitted' }
end
if ARGV[7] == '1' and adopt(rid, found[5]) then
  -- A callback that named its task meanwhile is believed before the refusal, see give_back.lua.
  if state == 'queued' then refund(rid) end
  if ARGV[8] == '1' then account_answers() end
  return { 1, 'submitted' }
end
if ARGV[6] == '1' then release(rid) end
if ARGV[7] == '1' then refund(rid) end
if ARGV[8] == '1' then account_answers() end
if ARGV[9] == '-1' then redis.call('ZREM', key('due'), rid)
elseif ARGV[9] ~= '' then
  redis.call('ZADD', key('due'), ARGV[9], rid)
  wake(rid)
end
if to ~= '' then
  redis.call('ZREM', key('unknown'), rid)
  if ENDED[to] then redis.call('HSET', job, 'finished_ms', now) end
  move(rid, to)
  if to == 'succeeded' then
    redis.call('HDEL', key('gate'), 'lost')
    redis.call('HSET', key('gate'), 'fetched_ms', now)
    results_come('pictures')
  end
  if state == 'submitted' then
    -- A loss is ours to say; every other end was HiDream's word.
    if paid_loss(rid) then redis.call('ZREM', key('odd'), rid) else poll_answered(rid, found[4] or '') end
  end
end
return { 1, to ~= '' and to or state }
