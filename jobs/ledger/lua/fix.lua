-- Puts a batch right whose rows lead to jobs that are gone, or that do not know who wants them. ARGV: batch.
-- A job that is gone is reported as a failure, and never bought again by itself: nobody knows what was. The batch is counted anew.
-- Twice is once: what is right stays as it is. Returns request ids of jobs that were gone.
local batch = ARGV[1]
local b = key('batch', batch)
if redis.call('EXISTS', b) == 0 or redis.call('HEXISTS', b, 'pruning') == 1 then return {} end
local counts, numbers, order = {}, {}, {}
local function count(state, by) counts[state] = (counts[state] or 0) + by end

local cursor = '0'
repeat
  local page = redis.call('HSCAN', key('rows', batch), cursor, 'COUNT', 1000)
  cursor = page[1]
  for i = 1, #page[2], 2 do
    local number, rid = page[2][i], job_of(page[2][i + 1])
    local left = redis.call('HGET', key('left', batch), number)
    if left then count(left, 1)
    elseif not rid then count('invalid', 1)
    else
      if not numbers[rid] then
        numbers[rid] = {}
        order[#order + 1] = rid
      end
      table.insert(numbers[rid], number)
    end
  end
until cursor == '0'

local open, gone = 0, {}
for _, rid in ipairs(order) do
  local job = key('job', rid)
  local found = redis.call('HMGET', job, 'state', 'refs', 'claim')
  local state, refs = found[1], found[2] or ''
  table.sort(numbers[rid], function(one, other) return tonumber(one) < tonumber(other) end)
  if not refers_to(refs, batch) then
    refs = (refs == '' and '' or refs .. ';') .. batch .. '=' .. table.concat(numbers[rid], ',')
    redis.call('HSET', job, 'refs', refs)
    if not state then
      state = 'failed'
      redis.call('HSET', job, 'state', state, 'pair', '', 'v', 1, 'finished_ms', now, 'failure', cjson.encode({
        kind = 'unreadable', retryable = false, owner = 'ops', message = 'the ledger has lost its record of this job' }))
      gone[#gone + 1] = rid
      release(rid)
    end
    if ENDED[state] then redis.call('XADD', key('out', batch), '*', 'job', rid, 'v', redis.call('HGET', job, 'v'))
    elseif state == 'queued' and not found[3] and not redis.call('ZSCORE', key('retry'), rid) then
      enqueue(rid, batch, true)
      notify('wakeups', 64)
    end
  end
  count(state, #numbers[rid])
  if not ENDED[state] then open = open + #numbers[rid] end
  redis.call('ZREM', key('broken'), rid)
end

for _, field in ipairs(redis.call('HKEYS', b)) do
  if string.sub(field, 1, 2) == 'n:' then redis.call('HDEL', b, field) end
end
for state, by in pairs(counts) do redis.call('HSET', b, 'n:' .. state, by) end
redis.call('HSET', b, 'open', open, 'rows', redis.call('HLEN', key('rows', batch)))
if complete(b) == 0 then redis.call('HDEL', b, 'completed_ms') end
redis.call('ZADD', key('active'), 'NX', now, batch)
return gone
