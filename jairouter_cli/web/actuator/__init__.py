"""`/actuator/*` in Spring Boot's conventions: a module for each endpoint, and what they have in common."""
