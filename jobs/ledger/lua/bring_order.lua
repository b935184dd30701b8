-- An order that a server has not heard of which took over: brought in from the journal of the process that gave it. Buys nothing, ever.
-- ARGV: request id, ledger id, its number, claim, when its POST began in ms, the batch that pays, pair, what became of it: 'open' it is under
-- way | 'over' nobody can say | 'task' HiDream has taken it | 'none' not bought; task id, sub-task ids, until when it may be under way, ms from now.
-- Twice is once. Returns 1 when it was brought in, else 0: the ledger knows it, or is another one.
local rid, order, claim, begun, batch, became, task = ARGV[1], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6], ARGV[8], ARGV[9]
local recovery, job = key('recovery'), key('job', rid)
local taken_over = redis.call('HMGET', recovery, 'base', 'since', 'most')
if redis.call('HGET', key('meta'), 'id') ~= ARGV[2] or not taken_over[1] or order <= tonumber(taken_over[1])
    or redis.call('HSETNX', recovery, 'o:' .. order, 1) == 0 then return 0 end
redis.call('HINCRBY', recovery, 'brought', 1)
redis.call('HSET', recovery, 'most', math.max(order, tonumber(taken_over[3])))
if became == 'none' then return 1 end

local found = redis.call('HMGET', job, 'state', 'task_id', 'submitted_ms')
local state = found[1]
-- Whoever holds its answer has been here already.
if state == 'succeeded' or (task ~= '' and found[2] == task)
    or (state == 'submitted' and tonumber(found[3] or '0') >= tonumber(taken_over[2])) then return 1 end
-- Its admission is missing too: its rows find it when they come again.
if not state then redis.call('HSET', job, 'state', 'queued', 'v', 0, 'refs', '', 'pair', ARGV[7]) end
if state == 'queued' then refund(rid) end
release(rid)
for _, set in ipairs({ 'unknown', 'retry', 'due' }) do redis.call('ZREM', key(set), rid) end
forget_task(rid, 'renewed')
redis.call('HDEL', job, 'was', 'given_back')
redis.call('HSET', job, 'claim', claim, 'begun_ms', begun, 'order', order, 'batch', batch)
count_order(rid, batch)
redis.call('ZADD', key('leases'), now + ARGV[11], rid)
move(rid, 'submitting')
if became == 'task' and adopt(rid, task) then
  redis.call('HSET', job, 'subs', ARGV[10])
  -- No callback has said it: how far those can be relied on is not learnt from it.
  redis.call('HDEL', job, 'hinted')
elseif became == 'open' then
  redis.call('ZADD', key('posting'), now + ARGV[11], rid)
else
  redis.call('HSET', job, 'failure', cjson.encode({ kind = 'no_answer', retryable = false, owner = 'ops',
    message = 'The server that its intent was written to is gone, and so is the worker that sent it; it may have been bought' }))
  to_unknown(rid)
end
return 1
