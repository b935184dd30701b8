-- An order that a server has not heard of which took over: brought in from the journal of the process that gave it. Buys nothing, ever.
-- ARGV: request id, ledger id, its number, claim, when its POST began in ms, the batch that pays, pair, what became of it: 'open' it is under
-- way | 'over' nobody can say | 'task' HiDream has taken it | 'none' not bought; task id, sub-task ids, until when it may be under way, ms from now.
-- Twice is once. Returns 1 when it was brought in, else 0: the ledger knows it, or is another one.
local rid, order, claim, begun, batch, became, task = ARGV[1], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6], ARGV[8], ARGV[9]
local recovery, job = key('recovery'), key('job', rid)
local taken_over = redis.call('HMGET', recovery, 'base', 'since', 'most')
if redis.call('HGET', key('meta'), 'id') ~= ARGV[2] or not taken_over[1] or order <= tonumber(taken_over[1]) then return 0 end
local news = redis.call('HSETNX', recovery, 'o:' .. order, 1)
-- Who knows its task tells more than who has brought it in before, from a copy of the journal or while its POST was under way.
if news == 0 and became ~= 'task' then return 0 end
redis.call('HINCRBY', recovery, 'brought', news)
redis.call('HSET', recovery, 'most', math.max(order, tonumber(taken_over[3])))
if became == 'none' then return 1 end

local found = redis.call('HMGET', job, 'state', 'begun_ms', 'orders', 'submitted_ms', 'order')
local state, held, orders = found[1], tonumber(found[2] or '0'), found[3] or ''

-- HiDream has named its task.
local function is_asked_for()
  if became ~= 'task' or not adopt(rid, task) then return false end
  redis.call('HSET', job, 'subs', ARGV[10])
  -- No callback has said it: how far those can be relied on is not learnt from it.
  redis.call('HDEL', job, 'hinted')
  return true
end

-- Whoever holds its answer has been here already, or told it to the server before this one, which was promoted too.
if task ~= '' and redis.call('HGET', key('tasks'), task) == rid then return news end
if held == tonumber(begun) then
  if state == 'submitting' or state == 'unknown' then is_asked_for() end
  return 1
end
if string.find(' ' .. orders, ' ' .. begun .. ':', 1, true) then return 1 end
-- The job was ordered once more since, on either server: it goes on without this order, which counts.
if (state == 'succeeded' and task ~= '') or (state and state ~= 'queued' and held > tonumber(begun)) then
  set_orders(rid, orders .. ' ' .. begun .. ':' .. batch .. ':' .. task)
  count_spent(batch)
  if task ~= '' then
    redis.call('HSETNX', key('tasks'), task, rid)
    keep_id(rid, task)
    count_money(batch, 'charged', 1)
  end
  return 1
end
-- A callback has named its task since.
if task == '' and (state == 'succeeded' or (state == 'submitted' and tonumber(found[4] or '0') >= tonumber(taken_over[2])
    and tonumber(found[5] or '0') <= tonumber(taken_over[1]))) then return 1 end
-- Its admission is missing too: its rows find it when they come again.
if not state then redis.call('HSET', job, 'state', 'queued', 'v', 0, 'refs', '', 'pair', ARGV[7]) end
if state == 'queued' then refund(rid) end
release(rid)
for _, set in ipairs({ 'unknown', 'retry', 'due' }) do redis.call('ZREM', key(set), rid) end
-- Whether a person has renewed it or not: what was bought once more by itself is not bought so again.
forget_task(rid, 'queued')
redis.call('HDEL', job, 'was', 'given_back', 'failure', 'finished_ms')
redis.call('HSET', job, 'claim', claim, 'begun_ms', begun, 'order', order, 'batch', batch)
count_order(rid, batch)
redis.call('ZADD', key('leases'), now + ARGV[11], rid)
move(rid, 'submitting')
if is_asked_for() then return 1 end
if became == 'open' then
  redis.call('ZADD', key('posting'), now + ARGV[11], rid)
else
  redis.call('HSET', job, 'failure', cjson.encode({ kind = 'no_answer', retryable = false, owner = 'ops',
    message = 'The server that its intent was written to is gone, and so is the worker that was to send it; it may have been bought' }))
  to_unknown(rid)
end
return 1
