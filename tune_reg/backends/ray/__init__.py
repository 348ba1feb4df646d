"""Ray and Ray Tune: the only room besides ``tune_reg.cluster`` that imports Ray."""
