"""What users and administrators have configured: conda's ``.condarc`` and kaa's own file."""
