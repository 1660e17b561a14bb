-- The steps of routing/limit.py, for levels that several hosts have in common. Both are tested side by side.
--
-- KEYS: one a bucket. ARGV: mode (charge, peek, correct), now in seconds ('' for the server's own), then for each
-- bucket: kind, cost, capacity, rate, window, most, warm-up, cold-factor.
-- Returns for each bucket of charge and peek: allowed (0, 1), remaining, retry after, reset, wait; numbers as text.

local EPSILON, JUMP_S, PARTS = 1e-6, 1.0, 16
local BUCKET, QUEUE, WINDOW, WARMING = 1, 2, 3, 4
local MARGIN_S = 2.0 -- how much longer than its level tells anything a bucket is kept

local MOST_COST = 1e9

local function fair(cost)
  if cost ~= cost then return MOST_COST end
  return math.max(0, math.min(MOST_COST, cost))
end

local function bucket(rule, n, now, cost)
  local level, at = rule.capacity, now
  if n and n[1] == BUCKET then
    level, at = n[2], n[3]
    if now > at then
      level, at = level + (now - at) * rule.rate, now
    elseif at - now > JUMP_S then
      at = now
    end
    if not (level <= rule.capacity) then level = rule.capacity end
  end
  local needed = math.min(cost, rule.capacity)
  if level + EPSILON < needed then
    return {BUCKET, level, at}, {0, math.max(level, 0), (needed - level) / rule.rate, (rule.capacity - level) / rule.rate, 0}
  end
  level = level - cost
  return {BUCKET, level, at}, {1, math.max(level, 0), 0, (rule.capacity - level) / rule.rate, 0}
end

local function queue(rule, n, now, cost)
  local capacity, rate = rule.capacity, rule.rate
  local free_at = now
  if n and n[1] == QUEUE then free_at = n[2] end
  if free_at < now or free_at - now > (capacity + cost + 1) / rate + JUMP_S then free_at = now end
  local wait = free_at - now
  local remaining = math.max(0, capacity - wait * rate)
  if wait * rate > capacity + EPSILON then
    return {QUEUE, free_at}, {0, 0, wait - capacity / rate, wait, 0}
  end
  free_at = free_at + cost / rate
  return {QUEUE, free_at}, {1, remaining, 0, free_at - now, wait}
end

local function window(rule, n, now, cost)
  local most, size = rule.most, PARTS + 1
  local width = rule.window / PARTS
  local newest = math.floor(now / width)
  local counts = {}
  for part = 0, size - 1 do counts[part] = 0 end
  if n and n[1] == WINDOW then
    local last, total = n[2], 0
    if n[3] ~= width then
      for part = 0, size - 1 do total = total + n[4 + part] end
      counts[newest % size] = total
    elseif newest >= last or (last - newest) * width <= JUMP_S + width then
      for part = 0, size - 1 do counts[part] = n[4 + part] end
      if newest >= last then
        for part = last + 1, math.min(newest, last + size) do counts[part % size] = 0 end
      else
        newest = last
      end
    end
  end
  local taken = 0
  for part = 0, size - 1 do taken = taken + counts[part] end
  local reset = (newest + 1) * width + rule.window - now
  local decision
  if taken + cost <= most + EPSILON or (cost > most and taken <= EPSILON) then
    counts[newest % size] = counts[newest % size] + cost
    decision = {1, math.max(0, most - taken - cost), 0, reset, 0}
  else
    local excess, part = taken - math.max(0, most - cost), newest - size + 1
    while part < newest and excess - counts[part % size] > EPSILON do
      excess = excess - counts[part % size]
      part = part + 1
    end
    decision = {0, math.max(0, most - taken), math.max(0, (part + 1) * width + rule.window - now), reset, 0}
  end
  local numbers = {WINDOW, newest, width}
  for part = 0, size - 1 do numbers[4 + part] = counts[part] end
  return numbers, decision
end

local function warming(rule, n, now, cost)
  local capacity, rate, period = rule.capacity, rule.rate, rule.warm_up
  local cold = 1 / rule.cold_factor
  local curve = (1 - cold) / (2 * period)
  local first, whole = math.max(1, capacity * cold), cold * period + curve * period * period

  local function worth(warm)
    if warm < period then return cold * warm + curve * warm * warm end
    return whole + warm - period
  end
  local function till(warm, more)
    local wanted = worth(warm) + math.max(0, more)
    if wanted >= whole then return period + wanted - whole - warm end
    if curve < EPSILON / period then return wanted / cold - warm end
    return (math.sqrt(cold * cold + 4 * curve * wanted) - cold) / (2 * curve) - warm
  end

  local level, at, since = first, now, now
  if n and n[1] == WARMING then level, at, since = n[2], n[3], n[4] end
  if at - now > JUMP_S then since, at = since - (at - now), now end
  local elapsed, warm = math.max(0, now - at), at - since
  if elapsed > period and elapsed > period + till(warm, (capacity - level) / rate) then
    level, at, since = first, now, now
  else
    level = math.min(capacity, level + rate * (worth(warm + elapsed) - worth(warm)))
    at = math.max(at, now)
  end
  warm = at - since
  local needed, decision = math.min(cost, capacity), nil
  if level + EPSILON < needed then
    decision = {0, math.max(0, level), till(warm, (needed - level) / rate), till(warm, (capacity - level) / rate), 0}
  else
    level = level - cost
    decision = {1, math.max(0, level), 0, till(warm, (capacity - level) / rate), 0}
  end
  return {WARMING, level, at, since}, decision
end

local STEPS = {[BUCKET] = bucket, [QUEUE] = queue, [WINDOW] = window, [WARMING] = warming}

local function owe(rule, n, more)
  if n[1] == QUEUE then
    n[2] = n[2] + more / rule.rate
  elseif n[1] == WINDOW then
    local at = 4 + n[2] % (PARTS + 1)
    n[at] = math.max(0, n[at] + more)
  else
    n[2] = n[2] - more
  end
  return n
end

local mode, now = ARGV[1], tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local charged, answers, granted = {}, {}, true
for index, key in ipairs(KEYS) do
  local at = 3 + (index - 1) * 8
  local rule = {
    kind = tonumber(ARGV[at]), capacity = tonumber(ARGV[at + 2]), rate = tonumber(ARGV[at + 3]),
    window = tonumber(ARGV[at + 4]), most = tonumber(ARGV[at + 5]), warm_up = tonumber(ARGV[at + 6]),
    cold_factor = tonumber(ARGV[at + 7]),
  }
  local cost, packed = tonumber(ARGV[at + 1]), redis.call('GET', key)
  local numbers = packed and cmsgpack.unpack(packed) or nil
  if mode == 'correct' then
    if numbers and numbers[1] == rule.kind then
      redis.call('SET', key, cmsgpack.pack(owe(rule, numbers, cost)), 'KEEPTTL')
    end
  else
    local new, decision = STEPS[rule.kind](rule, numbers, now, fair(cost))
    granted = granted and decision[1] == 1
    local keep = decision[4] + MARGIN_S + (rule.kind == WARMING and rule.warm_up or 0)
    charged[index] = {cmsgpack.pack(new), math.ceil(keep * 1000)}
    answers[index] = {decision[1]}
    for number = 2, 5 do answers[index][number] = string.format('%.17g', decision[number]) end
  end
end
if mode == 'charge' and granted then
  for index, key in ipairs(KEYS) do
    redis.call('SET', key, charged[index][1], 'PX', charged[index][2])
  end
end
return answers
