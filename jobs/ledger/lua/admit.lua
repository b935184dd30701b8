-- Admits a chunk of rows. ARGV: batch, then for each row: number, request id ('' = bad row), row, pair.
-- A row that is there already changes nothing, so a chunk may come twice; but one that was bad and is good now (its picture
-- was put right) gets its job, and one that left its job with its cancelled batch joins it again.
-- Returns {rows new here, reused, duplicate, request ids now queued...}.
local batch = ARGV[1]
local b = key('batch', batch)
if redis.call('EXISTS', b) == 0 then return redis.error_reply('NOBATCH no such batch') end
local rows = key('rows', batch)
local fresh, back, mended, bad, order, groups = 0, 0, 0, 0, {}, {}
local some_left = redis.call('EXISTS', key('left', batch)) == 1
for i = 2, #ARGV, 4 do
  local number, rid = ARGV[i], ARGV[i + 1]
  local new = redis.call('HSETNX', rows, number, ARGV[i + 2]) == 1
  local wanted = new
  if not new and rid ~= '' then
    -- Cells are texts: nothing else in a row's JSON reads like this.
    local was_bad = string.find(redis.call('HGET', rows, number), '"bad":{', 1, true)
    local left = some_left and redis.call('HDEL', key('left', batch), number) == 1
    if was_bad then mended = mended + 1 elseif left then back = back + 1 end
    wanted = was_bad or left
    if wanted then redis.call('HSET', rows, number, ARGV[i + 2]) end
  end
  if wanted then
    fresh = fresh + (new and 1 or 0)
    if rid == '' then
      bad = bad + 1
      redis.call('XADD', key('out', batch), '*', 'row', number)
    else
      local group = groups[rid]
      if group then
        group[#group + 1] = number
      else
        groups[rid] = { number }
        order[#order + 1] = { rid, ARGV[i + 3] }
      end
    end
  end
end

local counts, reused, duplicate, open, queued, also = {}, 0, 0, 0, {}, {}
for _, item in ipairs(order) do
  local rid, numbers = item[1], groups[item[1]]
  local job, count = key('job', rid), #numbers
  local text = table.concat(numbers, ',')
  local found = redis.call('HMGET', job, 'state', 'refs', 'failure')
  local state = found[1]
  local known = false
  duplicate = duplicate + count - 1
  if not state then
    state = 'queued'
    redis.call('HSET', job, 'state', state, 'v', 1, 'pair', item[2], 'refs', batch .. '=' .. text,
      'batch', batch, 'queued_ms', now)
    queued[#queued + 1] = rid
  else
    local refs = found[2] or ''
    for name in string.gmatch(refs, '([^=;]+)=') do known = known or name == batch end
    if known then
      -- ';' on both sides makes the batch's own segment findable without patterns.
      local at = string.find(';' .. refs, ';' .. batch .. '=', 1, true)
      local stop = string.find(refs .. ';', ';', at, true)
      refs = string.sub(refs, 1, stop - 1) .. ',' .. text .. string.sub(refs, stop)
      duplicate = duplicate + 1
    else
      refs = (refs == '' and '' or refs .. ';') .. batch .. '=' .. text
    end
    redis.call('HSET', job, 'refs', refs)
    if not known and paid_loss(rid) then
      -- Its task was paid for and may have the picture after all: that is asked, nothing is bought.
      counts[state] = (counts[state] or 0) + count
      for k, v in pairs(counts) do if v ~= 0 then redis.call('HINCRBY', b, 'n:' .. k, v) end end
      counts = {}
      ask_old_task(rid)
      state = nil
    end
    local again = state and not known and (state == 'cancelled'
      or (state == 'failed' and string.find(found[3] or '', '"retryable":true', 1, true)))
    if again then
      -- Nobody has it and nothing forbids it: this batch asks once more. The other batches wait with it.
      counts[state] = (counts[state] or 0) + count
      for k, v in pairs(counts) do if v ~= 0 then redis.call('HINCRBY', b, 'n:' .. k, v) end end
      counts = {}
      redis.call('HSET', job, 'batch', batch)
      renew(rid)
      move(rid, 'queued')
      queued[#queued + 1] = rid
      state = nil
    elseif state and ENDED[state] then
      if state == 'succeeded' and not known then reused = reused + count end
      redis.call('XADD', key('out', batch), '*', 'job', rid, 'v', redis.call('HGET', job, 'v'), 'rows', text)
    end
  end
  if state == 'queued' and found[1] and not known and not redis.call('ZSCORE', key('retry'), rid) then
    -- It waits in another batch's line already; in ours too, should that batch be over its budget.
    also[#also + 1] = rid
  end
  if state then
    counts[state] = (counts[state] or 0) + count
    if not ENDED[state] then open = open + count end
  end
end

if bad + mended > 0 then counts['invalid'] = bad - mended end
if back > 0 then counts['cancelled'] = (counts['cancelled'] or 0) - back end
for state, count in pairs(counts) do redis.call('HINCRBY', b, 'n:' .. state, count) end
redis.call('HINCRBY', b, 'rows', fresh)
redis.call('HINCRBY', b, 'open', open)
redis.call('HINCRBY', b, 'reused', reused)
redis.call('HINCRBY', b, 'duplicate', duplicate)
if fresh + back + mended > 0 then
  redis.call('HDEL', b, 'completed_ms')
  -- The line's own jobs may all have ended long ago, and a batch that was sealed is not sealed again by a retry.
  if redis.call('HGET', b, 'open') == '0' and redis.call('HGET', b, 'sealed') == '1' then
    redis.call('HSET', b, 'completed_ms', now)
  end
end
for _, line in ipairs({ queued, also }) do
  for first = 1, #line, 1000 do
    redis.call('RPUSH', key('queued', batch), unpack(line, first, math.min(first + 999, #line)))
  end
  if #line > 0 and not redis.call('LPOS', key('ring'), batch) then redis.call('RPUSH', key('ring'), batch) end
end
if redis.call('HGET', b, 'cancelled') then
  for _, rid in ipairs(queued) do
    redis.call('HSET', key('job', rid), 'finished_ms', now)
    move(rid, 'cancelled')
  end
  queued = {}
end
return { fresh, reused, duplicate, unpack(queued) }
