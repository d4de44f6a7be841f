// Fill the page.

for (const section of [
  about,
  weakest,
  headline,
  labels,
  confusion,
  removal,
  calibration,
  groups,
  sites,
  learning,
  leakage,
  notes,
])
  section();
