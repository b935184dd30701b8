-- Shared by every script of the ledger and the gate. KEYS[1] is the prefix of all keys; one server, no cluster.
-- What each key holds stands in jobs/ledger/__init__.py.
local P = KEYS[1]

-- A term is the time in which one server is the primary: its number, and a mark of that server. KEYS[2] ends with the latest one that the
-- caller knows. Who knows an earlier one learns this one, and comes again; who knows a later one, or another server of this one, leaves a
-- server that was the primary before: READONLY is what such a one says once it knows so itself. Nothing is changed for either.
local clock = redis.call('HMGET', P .. ':clock', 'server', 'ahead', 'term')
local term = clock[3] or '0'
local function term_number(text) return tonumber(string.match(text, '^%d+') or '0') end
if KEYS[2] and KEYS[2] ~= P .. ':term:' .. term then
  local told = string.match(KEYS[2], '[^:]*$')
  if term_number(term) > term_number(told) then return redis.error_reply('TERM ' .. term) end
  return redis.error_reply('READONLY fenced: this server is of term ' .. term .. ', and term ' .. told .. ' is known')
end

-- Time is Redis' own, in milliseconds, and never goes back: set back, it goes on from where it was and a tenth slower until
-- the server's clock has caught up. Else every lease, poll and reservation would wait for as long as it was set back.
local function tell_time()
  local time = redis.call('TIME')
  local server = time[1] * 1000 + math.floor(time[2] / 1000)
  local last, ahead = tonumber(clock[1] or '0'), tonumber(clock[2] or '0')
  if server < last then
    ahead = ahead + last - server
  elseif ahead > 0 then
    ahead = math.max(0, math.floor(ahead - 0.1 * (server - last)))
  end
  if server < last or server - last >= 1000 then
    redis.call('HSET', P .. ':clock', 'server', server, 'ahead', ahead)
  end
  return server + ahead
end
local now = tell_time()

local function key(kind, id)
  if id then return P .. ':' .. kind .. ':' .. id end
  return P .. ':' .. kind
end

-- A step that is sent twice, because its reply was lost, changes nothing the second time and answers the same.
local function once(token, step)
  local before = redis.call('GET', key('once', token))
  if before then return tonumber(before) end
  local reply = step()
  redis.call('SET', key('once', token), reply, 'PX', 600000)
  return reply
end

-- The UTC day of a time in ms, YYYY-MM-DD (days since 1970 to the Gregorian calendar, whose 400 years have 146,097 days).
local function day_of(ms)
  local days = math.floor(ms / 86400000) + 719468
  local era = math.floor(days / 146097)
  local of_era = days - era * 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * of_year + 2) / 153)
  local day = of_year - math.floor((153 * month + 2) / 5) + 1
  month = month < 10 and month + 3 or month - 9
  return string.format('%04d-%02d-%02d', year + era * 400 + (month <= 2 and 1 or 0), month, day)
end

-- The UTC day of the ledger's time.
local function today() return day_of(now) end

-- What of a job's hash is cleared when: the one list, which a test holds against the record of a job. A function, because most scripts
-- clear nothing.
local function cleared()
  return {
    -- HiDream has said how its task is; its pictures' addresses are asked for anew; nothing of its task is due any more.
    answered = { 'unanswered', 'unanswered_ms', 'missing_ms', 'missed_ms', 'errors' },
    fetch = { 'urls', 'refused_ms' },
    over = { 'urls' },
    -- Its pictures are kept: what only its way there needed. Most of a ledger are such jobs.
    kept = { 'claim', 'order', 'batch', 'polls', 'polled_ms', 'predicted_ms', 'asked_ms', with = { 'trouble' } },
    -- A task was accepted; a callback, or who came late, has named one; it counts in no budget any more.
    named = { 'failure', 'hinted', with = { 'turned_away' } },
    adopted = { 'failure', 'finished_ms', 'hint_task' },
    unpaid = { 'paid_batch', 'paid_day' },
    -- A task that was given up is asked for again.
    asked = { 'failure', 'finished_ms', with = { 'trouble' } },
    -- HiDream failed its task and one more is bought: what the former one cost stays spent.
    queued = { 'claim', 'order', 'task_id', 'subs', 'begun_ms', 'given_back', 'submitted_ms', 'asked_ms', 'polled_ms', 'predicted_ms', 'ended_ms',
      with = { 'trouble', 'turned_away', 'unpaid' } },
    -- A person or a new batch buys it anew: as if it had never been tried.
    renewed = { 'failure', 'finished_ms', 'task_failures', 'resubmitted', with = { 'queued' } },
    turned_away = { 'hint_task', 'was', 'turned_away', 'turned_ms', 'passed' },
    trouble = { 'hinted', 'fetches', 'fetch_failed_ms', 'odd', 'incomplete', 'incomplete_ms', with = { 'answered', 'fetch' } },
  }
end

local function clear(rid, when, lists)
  lists = lists or cleared()
  redis.call('HDEL', key('job', rid), unpack(lists[when]))
  for _, part in ipairs(lists[when].with or {}) do clear(rid, part, lists) end
end

local ENDED = { succeeded = true, failed = true, rejected = true, cancelled = true, unknown = true }

-- refs: "batch=1,2,3;batch2=7" -> called with (batch, rows-as-text, number of rows)
local function each_ref(refs, visit)
  for batch, rows in string.gmatch(refs or '', '([^=;]+)=([^;]*)') do
    local _, commas = string.gsub(rows, ',', '')
    visit(batch, rows, commas + 1)
  end
end

local function refers_to(refs, batch)
  return string.find(';' .. (refs or ''), ';' .. batch .. '=', 1, true) ~= nil
end

local function has_word(words, word)
  return string.find(' ' .. (words or '') .. ' ', ' ' .. word .. ' ', 1, true) ~= nil
end

-- A batch whose rows are all in and have ended is complete. `b`: its key. 1 when it is.
local function complete(b)
  local found = redis.call('HMGET', b, 'open', 'sealed')
  if found[1] ~= '0' or found[2] ~= '1' then return 0 end
  redis.call('HSETNX', b, 'completed_ms', now)
  return 1
end

-- The job of a row as the ledger holds it; nil for a bad one. An older version wrote it behind the row's cells.
local function job_of(row)
  local id = string.match(row, '^{"job":"([^"]*)"')
  if id then return id end
  local read, decoded = pcall(cjson.decode, row)
  return read and decoded.job or nil
end

local function notify(list, at_most)
  redis.call('RPUSH', key(list), '1')
  redis.call('LTRIM', key(list), -at_most, -1)
end

-- Watchers sleep until the earliest time in `due`: a job that is the earliest now wakes one, or it would wait for the others'.
local function wake(rid)
  if redis.call('ZRANGE', key('due'), 0, 0)[1] == rid then notify('watch', 8) end
end

local function end_probe(rid)
  if redis.call('HGET', key('gate'), 'probe') == rid then redis.call('HDEL', key('gate'), 'probe') end
end

-- A slot is free again: the lease goes, one waiter is notified; a probe that ended leaves room for the next one.
local function release(rid)
  end_probe(rid)
  redis.call('ZREM', key('posting'), rid)
  if redis.call('ZREM', key('leases'), rid) == 1 then notify('wakeups', 64) end
end

-- What the account's tasks have taught, for jobs/ledger/codec.py.
local function learnt()
  return redis.call('HMGET', key('gate'), 'lat_mean', 'lat_var', 'lat_n', 'callback_share', 'off_mean', 'off_var', 'off_n')
end

-- Share of the permitted rate that is used: less after throttling, by 0.15 more in each window since.
local function rate_factor(window)
  local g = redis.call('HMGET', key('gate'), 'factor', 'factor_ms')
  local factor = tonumber(g[1] or '1')
  if factor >= 1 then return 1 end
  return math.min(1, factor + 0.15 * math.max(0, now - tonumber(g[2])) / window)
end

-- The money of a batch that was pruned is counted no more.
local function count_money(batch, what, by)
  if redis.call('EXISTS', key('batch', batch)) == 1 then redis.call('HINCRBY', key('batch', batch), what, by) end
end

-- Orders of before, which the job goes on without, see `Job.former_orders`: `<sent at ms>:<batch>:<task>` each, the oldest first.
-- The last of them that no task was named for: what stands before it, its time, its batch, what stands behind it.
local function open_order(orders)
  return string.match(' ' .. (orders or '') .. ' ', '^(.*) (%d*):([^: ]*): (.*)$')
end

local function set_orders(rid, text)
  text = string.match(text, '^%s*(.-)%s*$')
  if text == '' then redis.call('HDEL', key('job', rid), 'orders') else redis.call('HSET', key('job', rid), 'orders', text) end
end

-- What the job has ordered and was not given back is kept when it begins anew: it is still on HiDream's bill, or may be.
local function keep_order(rid)
  local found = redis.call('HMGET', key('job', rid), 'paid_batch', 'begun_ms', 'task_id', 'orders')
  if not found[1] then return end
  set_orders(rid, (found[4] or '') .. ' ' .. (found[2] or '') .. ':' .. found[1] .. ':' .. (found[3] or ''))
end

-- An order counts for a batch, from today on.
local function count_spent(batch)
  count_money(batch, 'spent', 1)
  redis.call('HINCRBY', key('spent'), today(), 1)
end

local function count_order(rid, batch)
  redis.call('HSET', key('job', rid), 'paid_batch', batch, 'paid_day', today())
  count_spent(batch)
end

-- The last POST that a person has settled as not bought, and that no order stands for: when it began ('' = not known), and its
-- batch (nil = not known, and none has counted it).
local function denied_order(rid)
  local found = redis.call('HMGET', key('job', rid), 'settled', 'orders', 'paid_batch', 'begun_ms')
  if not found[1] then return nil end
  local history, later = cjson.decode(found[1]), {}
  for at = #history, 1, -1 do
    local one = history[at]
    local ms = one.posted_ms and string.format('%.0f', one.posted_ms) or ''
    local stands = string.find(' ' .. (found[2] or ''), ' ' .. ms .. ':', 1, true) or (found[3] and (found[4] or '') == ms)
    if one.outcome == 'not_bought' and not later[ms] and not stands then return ms, one.batch end
    later[ms] = true
  end
end

-- A task that the job goes on without has been named late: the order of before that had none is charged for sure. Was that one given
-- back by a person's word, it counts after all.
local function name_order(rid, task)
  local orders = redis.call('HGET', key('job', rid), 'orders')
  local before, ms, batch, after = open_order(orders)
  if not before then
    if string.find((orders or '') .. ' ', ':' .. task .. ' ', 1, true) then return end
    ms, batch = denied_order(rid)
    if not batch then return end
    before, after = orders or '', ''
    count_spent(batch)
    count_money(batch, 'refunded', -1)
  end
  set_orders(rid, before .. ' ' .. ms .. ':' .. batch .. ':' .. task .. ' ' .. after)
  count_money(batch, 'charged', 1)
end

-- HiDream has named a task: the batch that ordered it is charged for sure. Was the job to begin anew, it is its former order again; was
-- its order given back, that counts after all, and is no refund any more.
local function charge(rid)
  local job = key('job', rid)
  local found = redis.call('HMGET', job, 'paid_batch', 'orders', 'batch', 'given_back')
  local batch = found[1]
  if not batch then
    local before, ms, payer, after = open_order(found[2])
    local denied_ms, denier = denied_order(rid)
    local refunded = found[4] or denier
    if before then
      batch = payer
      redis.call('HSET', job, 'paid_batch', batch)
      if ms ~= '' then redis.call('HSET', job, 'begun_ms', ms) end
      set_orders(rid, before .. ' ' .. after)
    elseif refunded then
      batch = refunded
      count_order(rid, batch)
      count_money(batch, 'refunded', -1)
    elseif found[3] and redis.call('EXISTS', key('batch', found[3])) == 1 then
      batch = found[3]
      count_order(rid, batch)
    end
    if not before and not found[4] and (denied_ms or '') ~= '' then redis.call('HSET', job, 'begun_ms', denied_ms) end
    redis.call('HDEL', job, 'given_back')
  end
  if batch then count_money(batch, 'charged', 1) end
end

-- What a definite refusal gives back to the budgets it was counted in; once per charge. A permit that no POST was made with
-- was no order: it is not counted among the refunds. `unposted`: there was none, though the intent was written.
local function refund(rid, unposted)
  local paid = redis.call('HMGET', key('job', rid), 'paid_batch', 'paid_day', 'state')
  if not paid[1] then return end
  if not unposted and (paid[3] == 'submitting' or paid[3] == 'unknown') then
    count_money(paid[1], 'refunded', 1)
    redis.call('HSET', key('job', rid), 'given_back', paid[1])
  end
  clear(rid, 'unpaid')
  count_money(paid[1], 'spent', -1)
  -- An order that was taken up again does not know its day, which is over.
  if paid[2] then redis.call('HINCRBY', key('spent'), paid[2], -1) end
end

-- Nobody knows whether a task runs: its slot stays taken for as long as one would take, once its POST is over, `posting` ms from now.
local function release_later(rid, posting)
  end_probe(rid)
  redis.call('ZREM', key('posting'), rid)
  local learnt = redis.call('HMGET', key('gate'), 'lat_mean', 'lat_var')
  local wait = 15000
  if learnt[1] then wait = math.exp(learnt[1] + math.sqrt(math.max(0, tonumber(learnt[2])))) end
  redis.call('ZADD', key('leases'), 'XX', math.floor(now + (posting or 0) + math.min(wait, 300000)), rid)
end

-- Whether a batch is being pruned: nothing is to come back into it.
local function goes(batch) return redis.call('HEXISTS', key('batch', batch), 'pruning') == 1 end

local function enqueue(rid, batch, at_front)
  redis.call(at_front and 'LPUSH' or 'RPUSH', key('queued', batch), rid)
  if not redis.call('LPOS', key('ring'), batch) then redis.call('RPUSH', key('ring'), batch) end
end

-- A batch is wanted after all; the gate has put its line aside, and who cancelled it may have been killed half-way.
local function uncancel(batch)
  if not goes(batch) and redis.call('HDEL', key('batch', batch), 'cancelled') == 1
      and redis.call('EXISTS', key('queued', batch)) == 1 and not redis.call('LPOS', key('ring'), batch) then
    redis.call('RPUSH', key('ring'), batch)
  end
end

-- The batch a job waits in: its home if that still wants it, else any other that does, one that is being pruned last; nil when all were
-- cancelled.
local function home(rid)
  local found = redis.call('HMGET', key('job', rid), 'batch', 'refs')
  local first, same, going
  each_ref(found[2], function(batch)
    if redis.call('HGET', key('batch', batch), 'cancelled') then return end
    if goes(batch) then
      going = going or batch
    else
      first = first or batch
      same = same or batch == found[1]
    end
  end)
  local batch = same and found[1] or first or going
  if not batch then return nil end
  if batch ~= found[1] then redis.call('HSET', key('job', rid), 'batch', batch) end
  return batch
end

-- A job's refs without rows of a batch; `gone`: which of them, nil: all. Returns them, the rows that went, whether others of the batch
-- stay, and whether another batch wants the job.
local function without(refs, batch, gone)
  local left, went, stay, wanted = {}, {}, {}, false
  each_ref(refs, function(name, rows)
    if name ~= batch then
      left[#left + 1] = name .. '=' .. rows
      wanted = wanted or not redis.call('HGET', key('batch', name), 'cancelled')
    else
      for number in string.gmatch(rows, '[^,]+') do table.insert((not gone or gone[number]) and went or stay, number) end
    end
  end)
  if #stay > 0 then left[#left + 1] = batch .. '=' .. table.concat(stay, ',') end
  return table.concat(left, ';'), went, #stay > 0, wanted
end

-- A row left its job with its cancelled batch.
local function leave_with_batch(batch, number)
  redis.call('HSET', key('left', batch), number, 'cancelled')
  redis.call('XADD', key('out', batch), '*', 'row', number)
end

-- Changes the state: counters of every batch concerned, one outbox entry in each when the job has ended.
local function move(rid, to)
  local job = key('job', rid)
  local found = redis.call('HMGET', job, 'state', 'refs')
  local from = found[1]
  local version = redis.pcall('HINCRBY', job, 'v', 1)
  if type(version) == 'table' then
    -- A version that is no number must not leave a step half done: whoever holds the job would be gone, and the job in no line.
    version = 1
    redis.call('HSET', job, 'v', version)
  end
  redis.call('HSET', job, 'state', to)
  each_ref(found[2], function(batch, _, count)
    local b = key('batch', batch)
    if from ~= to then
      redis.call('HINCRBY', b, 'n:' .. from, -count)
      redis.call('HINCRBY', b, 'n:' .. to, count)
    end
    if ENDED[to] then
      redis.call('XADD', key('out', batch), '*', 'job', rid, 'v', version)
      if not ENDED[from] and redis.call('HINCRBY', b, 'open', -count) == 0 then complete(b) end
    elseif ENDED[from] then
      redis.call('HINCRBY', b, 'open', count)
      redis.call('HDEL', b, 'completed_ms')
    end
    -- A batch at rest has something to export again.
    if ENDED[from] and not goes(batch) then redis.call('ZADD', key('active'), now, batch) end
  end)
end

-- The id of a task that the job goes on without.
local function keep_id(rid, task)
  local past = redis.call('HGET', key('job', rid), 'past')
  if has_word(past, task) then return end
  redis.call('HSET', key('job', rid), 'past', past and past .. ' ' .. task or task)
end

-- The job is bought once more, see cleared(); the id of its former task is kept.
local function forget_task(rid, when)
  local former = redis.call('HMGET', key('job', rid), 'task_id', 'hint_task')
  keep_order(rid)
  if former[1] then keep_id(rid, former[1]) end
  if former[2] then
    keep_id(rid, former[2])
    name_order(rid, former[2])
  end
  clear(rid, when)
  redis.call('ZREM', key('odd'), rid)
end

-- Failures of a bought task that brought no picture, while HiDream has not said that it has none; jobs.records has the same.
local PAID_LOSSES = {
  picture_lost = true, picture_refused = true, task_lost = true, task_timeout = true, status_unknown = true,
  set_aside = true,
}

-- Whether a failed job's task was bought and may still have its picture.
local function paid_loss(rid)
  local found = redis.call('HMGET', key('job', rid), 'state', 'task_id', 'failure')
  if found[1] ~= 'failed' or not found[2] then return false end
  local read, failure = pcall(cjson.decode, found[3] or '')
  return read and type(failure) == 'table' and PAID_LOSSES[failure.kind] or false
end

-- What stays of a pruned job, its *memory*: `memory:<three letters of its id>`, the id → how it ended (s: with its picture, p: perhaps
-- bought, r: rejected, a: it may be bought again), when (seconds, 4 bytes), and its tasks. Ids are 17 bytes where they are UUIDs, and
-- small hashes are packed: a memory has 60 to 110 bytes.
local function packed(id)
  if #id == 36 and string.find(id, '^[%da-f-]+$') then
    local digits = string.gsub(id, '%-', '')
    if #digits == 32 and string.find(id, '^........%-....%-....%-....%-') then
      return '\1' .. string.gsub(digits, '..', function(two) return string.char(tonumber(two, 16)) end)
    end
  end
  return '\2' .. id .. '\0'
end

local function unpacked(text)
  local ids, at = {}, 1
  while at <= #text do
    if string.byte(text, at) == 1 then
      local digits = string.gsub(string.sub(text, at + 1, at + 16), '.', function(one) return string.format('%02x', string.byte(one)) end)
      ids[#ids + 1] = table.concat({ string.sub(digits, 1, 8), string.sub(digits, 9, 12), string.sub(digits, 13, 16),
        string.sub(digits, 17, 20), string.sub(digits, 21) }, '-')
      at = at + 17
    else
      local stop = string.find(text, '\0', at, true)
      ids[#ids + 1] = string.sub(text, at + 1, stop - 1)
      at = stop + 1
    end
  end
  return ids
end

local function recall(rid)
  local found = redis.call('HGET', key('memory', string.sub(rid, 1, 3)), packed(rid))
  if not found then return nil end
  return { how = string.sub(found, 1, 1), ms = struct.unpack('>I4', string.sub(found, 2, 5)) * 1000, tasks = unpacked(string.sub(found, 6)) }
end

-- What was bought is never remembered as less than that, and no task is forgotten.
local function remember(rid, how, ms, tasks)
  local before = recall(rid)
  if before then
    if how == 'a' and before.how ~= 'a' then how, ms = before.how, before.ms end
    for _, task in ipairs(before.tasks) do
      if not has_word(table.concat(tasks, ' '), task) then tasks[#tasks + 1] = task end
    end
  end
  local parts = {}
  for _, task in ipairs(tasks) do parts[#parts + 1] = packed(task) end
  redis.call('HSET', key('memory', string.sub(rid, 1, 3)), packed(rid),
    how .. struct.pack('>I4', math.floor(ms / 1000)) .. table.concat(parts))
end

-- A task that was given up is asked for again: nothing is bought, so it costs no budget, and takes no slot before HiDream says
-- that it runs.
local function ask_old_task(rid)
  clear(rid, 'asked')
  redis.call('HSET', key('job', rid), 'asked_ms', now)
  redis.call('ZADD', key('due'), now, rid)
  move(rid, 'submitted')
  notify('watch', 8)
end

-- A waiting job has lost a batch: it stands in another's line, or is cancelled when no other `wanted` it.
local function leave_line(rid, wanted)
  if wanted then
    if not redis.call('ZSCORE', key('retry'), rid) then enqueue(rid, home(rid), true) end
    return
  end
  redis.call('ZREM', key('retry'), rid)
  redis.call('HSET', key('job', rid), 'finished_ms', now)
  move(rid, 'cancelled')
end

-- Back among the waiting, at the front unless asked otherwise: it has waited already. A cancelled batch takes none back.
local function back_to_queue(rid, at_back)
  local job = key('job', rid)
  local found = redis.call('HMGET', job, 'state', 'claim', 'refs')
  if found[2] then
    -- The holder's late word is still worth hearing until somebody else takes the job.
    redis.call('HDEL', job, 'claim')
    redis.call('HSET', job, 'was', found[2])
  end
  local batch = home(rid)
  if not batch then
    redis.call('HSET', job, 'finished_ms', now)
    move(rid, 'cancelled')
    return
  end
  if found[1] ~= 'queued' then move(rid, 'queued') end
  enqueue(rid, batch, not at_back)
  -- Should that batch be over its budget, the others that want it may still have it.
  each_ref(found[3], function(other)
    if other ~= batch and not goes(other) and not redis.call('HGET', key('batch', other), 'cancelled')
        and not redis.call('LPOS', key('queued', other), rid) then
      enqueue(rid, other)
    end
  end)
end

-- A callback named the task of a job that nobody can account for: HiDream is asked about it. False: the task is known.
local function adopt(rid, task)
  if not task or task == '' or redis.call('HSETNX', key('tasks'), task, rid) == 0 then return false end
  local job = key('job', rid)
  local before = redis.call('HMGET', job, 'state', 'task_id')
  end_probe(rid)
  if before[1] == 'queued' then
    -- A permit is not used any more; the order whose task it is was counted before.
    refund(rid)
  elseif before[2] then
    -- It had another one, which counts too.
    keep_order(rid)
    keep_id(rid, before[2])
    clear(rid, 'unpaid')
  end
  -- Nobody knows when it began: its time teaches nothing, like one with unanswered polls.
  redis.call('HSET', job, 'task_id', task, 'submitted_ms', now, 'polls', 0, 'hinted', 1, 'unanswered', 1)
  clear(rid, 'adopted')
  local others = {}
  for id in string.gmatch(redis.call('HGET', job, 'past') or '', '%S+') do
    if id ~= task then others[#others + 1] = id end
  end
  if #others > 0 then redis.call('HSET', job, 'past', table.concat(others, ' ')) else redis.call('HDEL', job, 'past') end
  redis.call('HINCRBY', job, 'attempts', 1)
  charge(rid)
  for _, set in ipairs({ 'posting', 'unknown', 'retry' }) do redis.call('ZREM', key(set), rid) end
  redis.call('ZADD', key('leases'), now + 120000, rid)
  redis.call('ZADD', key('due'), now, rid)
  move(rid, 'submitted')
  notify('watch', 8)
  return true
end

-- It may have been bought; a callback that came meanwhile settles it at once. True when it became `unknown`.
local function to_unknown(rid, posting)
  release_later(rid, posting)
  if adopt(rid, redis.call('HGET', key('job', rid), 'hint_task')) then return false end
  redis.call('ZADD', key('unknown'), now, rid)
  move(rid, 'unknown')
  return true
end

local function close_breaker()
  redis.call('HDEL', key('gate'), 'breaker', 'breaker_why', 'breaker_by', 'breaker_since', 'breaker_asked', 'probe', 'probe_at',
    'probe_wait')
  notify('wakeups', 64)
end

-- The account answers a job's POST: a run of bad answers is over, an open breaker closes, unless it waits for results or opened
-- while this POST was under way: what the account said of an earlier one is no news.
local function account_answers(rid)
  redis.call('HDEL', key('gate'), 'streak', 'busy')
  local found = redis.call('HMGET', key('gate'), 'breaker', 'breaker_by', 'breaker_since', 'probe')
  if not found[1] or found[2] then return 0 end
  local begun = redis.call('HGET', key('job', rid), 'begun_ms')
  if found[4] ~= rid and begun and found[3] and tonumber(begun) <= tonumber(found[3]) then return 0 end
  close_breaker()
  return 1
end

local function open_breaker(reason, why, first_wait, longest_wait)
  local gate = key('gate')
  local wait = tonumber(redis.call('HGET', gate, 'probe_wait') or '0')
  wait = math.min(longest_wait, wait == 0 and first_wait or wait * 2)
  local opened = redis.call('HSETNX', gate, 'breaker_since', now)
  redis.call('HSET', gate, 'breaker', reason, 'breaker_why', why, 'probe_at', now + wait, 'probe_wait', wait)
  redis.call('HDEL', gate, 'probe', 'breaker_by', 'breaker_asked')
  return opened
end

-- One more answer that says nothing good; `enough` in a row open the breaker. Open already: only a probe's own bad answer
-- lengthens the wait, not the answers that were under way. 1 when it has just opened.
local function count_bad(reason, why, enough, first_wait, longest_wait)
  local gate = key('gate')
  local streak = redis.call('HINCRBY', gate, 'streak', 1)
  local state = redis.call('HMGET', gate, 'breaker', 'probe_at')
  if (state[1] and tonumber(state[2]) <= now) or (not state[1] and streak >= enough) then
    return open_breaker(reason, why, first_wait, longest_wait)
  end
  return 0
end

-- Everybody waits: `wait` ms, or a doubling wait when it is 0. `begun`: when the POST began whose answer says so; what was under
-- way when the account closed is no news: ten POSTs refused at once double the wait once, not ten times. Returns until when.
local function close_account(by, why, wait, longest, begun)
  local gate = key('gate')
  local before = redis.call('HMGET', gate, 'closed_until', 'closed_at')
  local closed = tonumber(before[1] or '0')
  local news = not begun or not before[2] or tonumber(begun) > tonumber(before[2])
  if wait == 0 and news then
    local busy = redis.call('HINCRBY', gate, 'busy', 1)
    wait = math.min(longest, 1000 * 2 ^ math.min(busy - 1, 10))
  end
  if wait > 0 then
    closed = math.max(now + wait, closed)
    redis.call('HSET', gate, 'closed_until', closed, 'closed_by', by, 'closed_why', why, 'closed_at', now)
  end
  return closed
end

-- The account's rate was too high. One burst of refusals is one piece of news: the rate shrinks once a window, and climbs from
-- where the closing ends: nothing is tried before.
local function shrink_rate(closed, window)
  local gate = key('gate')
  if now - tonumber(redis.call('HGET', gate, 'factor_ms') or '0') >= window then
    local factor = math.max(0.1, rate_factor(window) * 0.7)
    redis.call('HSET', gate, 'factor', string.format('%.4f', factor), 'factor_ms', math.max(closed, now))
  end
end

-- A breaker that doubt.lua opened for a cause closes when the cause is gone.
local function results_come(cause)
  if redis.call('HGET', key('gate'), 'breaker_by') == cause then close_breaker() end
end

-- So many tasks at once with a status that nobody has documented stop the buying.
local ODD_TASKS = 3

local function odd_tasks()
  redis.call('ZREMRANGEBYSCORE', key('odd'), '-inf', now - 600000)
  return redis.call('ZCARD', key('odd'))
end

-- HiDream has answered a poll; `odd`: with a status that nobody has documented.
local function poll_answered(rid, task, odd)
  redis.call('HSET', key('gate'), 'answered_ms', now, 'answered_by', task)
  results_come('silence')
  -- A token that was refused to a poll alone is good again; there may be nothing left to buy that would show it.
  if redis.call('HEXISTS', key('gate'), 'breaker_asked') == 1 then close_breaker() end
  if odd then
    redis.call('ZADD', key('odd'), now, rid)
  else
    redis.call('ZREM', key('odd'), rid)
    if odd_tasks() < ODD_TASKS then results_come('odd') end
  end
end

local function begins_with(text, first) return string.sub(text or '', 1, #first) == first end

-- A replica was promoted, and what was written last may be missing: nobody submits before every process that lives has brought in its
-- journal of orders, and each number up to the highest is there. `base`: how many orders are.
local RECOVERING, LOST_ORDERS = 'recovering: ', 'ledger: it counts '

-- Whether it is a pause that ends by itself, or once somebody has looked.
local function of_recovery(paused) return begins_with(paused, RECOVERING) or begins_with(paused, LOST_ORDERS) end

-- The gate is shut until then, and in the end paused as it was before.
local function recovering(paused)
  redis.call('HSET', key('recovery'), 'paused', paused)
  redis.call('HSET', key('gate'), 'paused', RECOVERING .. 'another server has the ledger; the journals of all processes are awaited'
    .. (paused == '' and '' or '; then it stays paused: ' .. paused))
end

local function recovered()
  local paused = redis.call('HGET', key('recovery'), 'paused') or ''
  redis.call('DEL', key('recovery'))
  if paused == '' then redis.call('HDEL', key('gate'), 'paused') else redis.call('HSET', key('gate'), 'paused', paused) end
end

local function begin_recovery()
  local recovery, paused = key('recovery'), redis.call('HGET', key('gate'), 'paused')
  local before = paused
  if of_recovery(paused) then before = redis.call('HGET', recovery, 'paused') end
  local base = tonumber(redis.call('HGET', key('meta'), 'orders') or '0')
  -- What was seen before another promotion, too.
  local most = math.max(base, tonumber(redis.call('HGET', recovery, 'most') or '0'))
  if begins_with(paused, LOST_ORDERS) then
    -- Somebody has seen it before.
    most = math.max(most, tonumber(string.match(paused, 'but (%d+) were seen') or '0'))
  end
  redis.call('DEL', recovery)
  redis.call('HSET', recovery, 'since', now, 'base', base, 'most', most, 'brought', 0)
  recovering(before or '')
end

-- Opens the gate if everything is there. A process that is silent for 13 s is not waited for; nor, where no replica has to confirm
-- writes, one that has begun so late that the replica has not heard of it, once it had 10 s to say so.
-- Returns 'none' nothing is awaited | 'awaits' | 'lost' all are heard, and orders are missing: a person must look | 'open' just now.
local function try_open()
  local recovery, gate, meta = key('recovery'), key('gate'), key('meta')
  local found = redis.call('HMGET', recovery, 'since', 'base', 'most', 'brought')
  if not found[1] then return 'none' end
  -- What a person, or the disk, has paused meanwhile says nothing of the orders.
  local paused = redis.call('HGET', gate, 'paused')
  if paused and not of_recovery(paused) then recovering(paused) end
  local since, most, there = tonumber(found[1]), tonumber(found[3]), found[2] + found[4]
  for _, beat in ipairs(redis.call('HVALS', key('heartbeats'))) do
    local heard, said = string.match(beat, '^(%d+) (.*)$')
    local read, decoded = pcall(cjson.decode, said or '')
    local journal = read and type(decoded) == 'table' and decoded.journal or ''
    if journal ~= '' and now - math.max(tonumber(heard), since) < 13000
        and redis.call('HEXISTS', recovery, 'in:' .. journal) == 0 then return 'awaits' end
  end
  if now - since < 10000 and redis.call('HEXISTS', meta, 'confirmed_orders') == 0 then return 'awaits' end
  if there < most then
    if paused and not begins_with(paused, LOST_ORDERS) then
      redis.call('HSET', gate, 'paused', LOST_ORDERS .. there .. ' orders, but ' .. most .. ' were seen')
    end
    return 'lost'
  end
  redis.call('HSET', meta, 'orders', math.max(most, tonumber(redis.call('HGET', meta, 'orders') or '0')))
  -- Without one a person has opened it, who knows better.
  if paused then recovered() else redis.call('DEL', recovery) end
  notify('wakeups', 64)
  return 'open'
end

-- Who serves the ledger, as the server says it: the id of its history, noted with the ledger's identity. A replica that was promoted begins
-- a history of its own and names the one that it goes on from: then the term rises. A server that was started anew, or gets its first
-- replica, has another history too, and goes on from none. Returns a mark of the history, '' where INFO is forbidden and nobody knows.
local function recognise()
  local told = redis.pcall('INFO', 'replication')
  local history = type(told) == 'string' and string.match(told, 'master_replid:(%x+)')
  if not history then return '' end
  local meta, mark = key('meta'), string.sub(history, 1, 8)
  local noted = redis.call('HMGET', meta, 'id', 'history')
  if noted[2] == history or not noted[1] then return mark end
  redis.call('HSET', meta, 'history', history)
  if noted[2] and not string.find(told, 'master_replid2:0+%s') then
    term = string.format('%d-%s', term_number(term) + 1, mark)
    redis.call('HSET', key('clock'), 'term', term)
    begin_recovery()
  end
  return mark
end
